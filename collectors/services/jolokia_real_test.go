package services

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heavyServer skips a test that make services plays, and one whose files are not there.
func heavyServer(t *testing.T, files ...string) string {
	t.Helper()
	path := realServer(t, "java")
	if os.Getenv("BINNACLE_SERVICES") == "" {
		t.Skip("make services plays it")
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Skip(err)
		}
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const jolokiaWeb = `<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="3.1">
  <servlet><servlet-name>j</servlet-name><servlet-class>org.jolokia.http.AgentServlet</servlet-class><load-on-startup>1</load-on-startup></servlet>
  <servlet-mapping><servlet-name>j</servlet-name><url-pattern>/*</url-pattern></servlet-mapping>
</web-app>`

// TestRealTomcat: Jolokia has a connector of its own, as the documents say. Debian's is of javax, which Tomcat 10 is not.
func TestRealTomcat(t *testing.T) {
	const home, core, simple = "/usr/share/tomcat10", "/usr/share/java/jolokia-core.jar", "/usr/share/java/json-simple.jar"
	path := heavyServer(t, home+"/bin/bootstrap.jar", core, simple)
	migrate, err := exec.LookPath("javax2jakarta")
	if err != nil {
		t.Skip(err)
	}
	dir, users, own := t.TempDir(), free(t), free(t)
	lib := filepath.Join(dir, "webapps/jolokia/WEB-INF/lib")
	write(t, filepath.Join(dir, "webapps/jolokia/WEB-INF/web.xml"), jolokiaWeb)
	write(t, filepath.Join(dir, "webapps/ROOT/index.html"), "hello")
	write(t, filepath.Join(dir, "conf/server.xml"), fmt.Sprintf(`<Server port="-1"><Service name="Catalina">
    <Connector port="%s" address="127.0.0.1" protocol="HTTP/1.1" connectionTimeout="60000" maxThreads="4" minSpareThreads="1" maxConnections="12"/>
    <Connector port="%s" address="127.0.0.1" protocol="HTTP/1.1" maxThreads="3"/>
    <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine></Service></Server>`, users, own))
	write(t, filepath.Join(dir, "conf/web.xml"), `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0"><servlet><servlet-name>default</servlet-name>`+
		`<servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet><servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping></web-app>`)
	write(t, filepath.Join(dir, "temp/none"), "")
	write(t, filepath.Join(lib, "none"), "")
	if out, err := exec.Command(migrate, core, filepath.Join(lib, "jolokia-core.jar")).CombinedOutput(); err != nil {
		t.Fatalf("javax2jakarta: %v: %s", err, out)
	}
	body, err := os.ReadFile(simple)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(lib, "json-simple.jar"), string(body))
	c := made(t, Jolokia, Servers{{Name: "s", URL: "http://127.0.0.1:" + own + "/jolokia/", Kind: "tomcat"}})
	p := serve(t, path, "-Xmx64m", "-Dcatalina.home="+home, "-Dcatalina.base="+dir, "-Djava.io.tmpdir="+filepath.Join(dir, "temp"),
		"-cp", home+"/bin/bootstrap.jar:"+home+"/bin/tomcat-juli.jar", "org.apache.catalina.startup.Bootstrap", "start")
	await(t, c, `jolokia_state{kind="tomcat",server="s",state="ok"} 1`)
	for i := range 20 {
		r, err := http.Get("http://127.0.0.1:" + users + map[bool]string{true: "/index.html", false: "/none"}[i < 13])
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
	}
	connector := fmt.Sprintf(`connector="http-nio-127.0.0.1-%s"`, users)
	got := await(t, c, fmt.Sprintf(`tomcat_requests_total{%s,kind="tomcat",server="s"} 20`, connector))
	for _, want := range []string{`tomcat_errors_total{` + connector + `,kind="tomcat",server="s"} 7`, `tomcat_threads_limit{` + connector + `,kind="tomcat",server="s"} 4`, `tomcat_connections_limit{` + connector + `,kind="tomcat",server="s"} 12`} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
	signals(t, p, func(state string) {
		await(t, c, fmt.Sprintf(`jolokia_state{kind="tomcat",server="s",state=%q} 1`, state))
	})
}

// signals freezes a process, lets it go on, and kills it.
func signals(t *testing.T, p *os.Process, await func(state string)) {
	t.Helper()
	for _, step := range []struct {
		signal syscall.Signal
		state  string
	}{{syscall.SIGSTOP, "frozen"}, {syscall.SIGCONT, "ok"}, {syscall.SIGKILL, "down"}} {
		if err := p.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		await(step.state)
	}
}

const activeMQ = `<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="true" brokerName="b1" dataDirectory="%[1]s/data" persistent="true" advisorySupport="true" schedulerSupport="false">
    <managementContext><managementContext createConnector="false"/></managementContext>
    <persistenceAdapter><kahaDB directory="%[1]s/data/kahadb" journalMaxFileLength="1mb" checkForCorruptJournalFiles="false"/></persistenceAdapter>
    <systemUsage><systemUsage><memoryUsage><memoryUsage limit="512 kb"/></memoryUsage><storeUsage><storeUsage limit="3 mb"/></storeUsage><tempUsage><tempUsage limit="2 mb"/></tempUsage></systemUsage></systemUsage>
    <transportConnectors><transportConnector name="stomp" uri="stomp://127.0.0.1:%[2]s"/></transportConnectors>
  </broker>
  <bean id="jetty" class="org.eclipse.jetty.server.Server" init-method="start" destroy-method="stop">
    <constructor-arg><bean class="java.net.InetSocketAddress"><constructor-arg value="127.0.0.1"/><constructor-arg value="%[3]s"/></bean></constructor-arg>
    <property name="handler"><bean class="org.eclipse.jetty.servlet.ServletContextHandler"><property name="contextPath" value="/api"/>
      <property name="servletHandler"><bean class="org.eclipse.jetty.servlet.ServletHandler"><property name="servlets"><list><ref bean="jh"/></list></property><property name="servletMappings"><list><bean class="org.eclipse.jetty.servlet.ServletMapping"><property name="servletName" value="jolokia"/><property name="pathSpecs"><list><value>/jolokia/*</value></list></property></bean></list></property></bean></property>
    </bean></property>
  </bean>
  <bean id="jh" class="org.eclipse.jetty.servlet.ServletHolder"><property name="name" value="jolokia"/><property name="className" value="org.jolokia.http.AgentServlet"/></bean>
</beans>`

// activeMQPath is the class path of Debian's broker with Jolokia in Jetty.
func activeMQPath() string {
	out := []string{"."}
	for _, name := range strings.Fields(`activemq-broker activemq-client activemq-kahadb-store activemq-spring activemq-stomp activemq-openwire-legacy activemq-jaas
		activemq-protobuf activemq-console spring-core spring-beans spring-context spring-expression spring-aop spring3-core spring3-beans spring3-context
		spring3-expression spring3-aop xbean-spring geronimo-jms-1.1-spec geronimo-j2ee-management-1.1-spec geronimo-jms_1.1_spec
		geronimo-j2ee-management_1.1_spec hawtbuf slf4j-api slf4j-simple jcl-over-slf4j commons-logging jackson-core jackson-databind jackson-annotations
		jetty9-server jetty9-servlet jetty9-util jetty9-http jetty9-io jetty9-security jetty9-util-ajax servlet-api jolokia-core json-simple log4j-1.2`) {
		if file := "/usr/share/java/" + name + ".jar"; exists(file) {
			out = append(out, file)
		}
	}
	for _, glob := range []string{"/usr/share/activemq/lib/*.jar", "/usr/share/activemq/lib/optional/*.jar"} {
		more, _ := filepath.Glob(glob)
		out = append(out, more...)
	}
	return strings.Join(out, ":")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// stompSend sends messages of a size until one is not confirmed in time, or all are.
func stompSend(t *testing.T, port string, n, size int) (sent int) {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(text string) error {
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text + "\x00")); err != nil {
			return err
		}
		_, err := r.ReadString(0)
		return err
	}
	if err := say("CONNECT\naccept-version:1.1\nhost:b1\n\n"); err != nil {
		t.Fatal(err)
	}
	for ; sent < n; sent++ {
		if say(fmt.Sprintf("SEND\ndestination:/queue/orders\npersistent:true\nreceipt:%d\n\n%s", sent, strings.Repeat("x", size))) != nil {
			return sent
		}
	}
	return sent
}

func TestRealActiveMQ(t *testing.T) {
	path := heavyServer(t, "/usr/share/activemq/lib", "/usr/share/java/jolokia-core.jar", "/usr/share/java/jetty9-servlet.jar", "/usr/share/java/xbean-spring.jar")
	dir, stomp, own := t.TempDir(), free(t), free(t)
	write(t, filepath.Join(dir, "activemq.xml"), fmt.Sprintf(activeMQ, dir, stomp, own))
	c := made(t, Jolokia, Servers{{Name: "s", URL: "http://127.0.0.1:" + own + "/api/jolokia/", Kind: "activemq"}})
	p := serve(t, path, "-Xmx96m", "-Dactivemq.base="+dir, "-Dactivemq.home="+dir, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", activeMQPath(),
		"org.apache.activemq.console.Main", "start", "xbean:file:"+filepath.Join(dir, "activemq.xml"))
	await(t, c, `jolokia_state{kind="activemq",server="s",state="ok"} 1`)
	if n := stompSend(t, stomp, 17, 100); n != 17 {
		t.Fatalf("%d of 17 messages are confirmed", n)
	}
	got := await(t, c, `activemq_queue_messages{kind="activemq",queue="orders",server="s"} 17`)
	if !strings.Contains(got, `activemq_queue_enqueued_total{kind="activemq",queue="orders",server="s"} 17`) {
		t.Errorf("it says\n%s", got)
	}
	signals := []struct {
		signal syscall.Signal
		state  string
	}{{syscall.SIGSTOP, "frozen"}, {syscall.SIGCONT, "ok"}}
	for _, s := range signals {
		if err := p.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
		await(t, c, fmt.Sprintf(`jolokia_state{kind="activemq",server="s",state=%q} 1`, s.state))
	}
	n := stompSend(t, stomp, 2000, 4<<10)
	t.Logf("%d messages of 4 kB until producers are held", n)
	await(t, c, `jolokia_state{kind="activemq",server="s",state="full"} 1`)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, c, `jolokia_state{kind="activemq",server="s",state="down"} 1`)
}
