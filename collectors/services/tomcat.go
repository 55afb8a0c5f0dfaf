package services

import "github.com/navcloud/binnacle/agent/metric"

// What Tomcat says of itself. Source: tomcat.apache.org 10.1, "Monitoring and managing" (JMX), read 30 November 2026.
var (
	tomcatBusy      = &metric.Desc{Name: "tomcat_threads_busy", Help: "Threads at work, by connector, or by executor where connectors share one"}
	tomcatLimit     = &metric.Desc{Name: "tomcat_threads_limit", Help: "Most threads, by connector or executor"}
	tomcatQueue     = &metric.Desc{Name: "tomcat_executor_queue", Help: "Requests that wait for a thread of an executor"}
	tomcatConns     = &metric.Desc{Name: "tomcat_connections", Help: "Connections by connector; one that only listens may count as one"}
	tomcatConnLimit = &metric.Desc{Name: "tomcat_connections_limit", Help: "Most connections by connector"}
	tomcatRequests  = &metric.Desc{Name: "tomcat_requests_total", Kind: metric.Counter, Help: "Requests by connector"}
	tomcatErrors    = &metric.Desc{Name: "tomcat_errors_total", Kind: metric.Counter, Help: "Requests answered with 4xx or 5xx, by connector"}
	tomcatSeconds   = &metric.Desc{Name: "tomcat_request_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time spent on requests, by connector"}
	tomcatSent      = &metric.Desc{Name: "tomcat_sent_bytes_total", Kind: metric.Counter, Unit: metric.Bytes, Help: "Bytes sent, by connector"}

	tomcatDescs = []*metric.Desc{tomcatBusy, tomcatLimit, tomcatQueue, tomcatConns, tomcatConnLimit, tomcatRequests, tomcatErrors, tomcatSeconds, tomcatSent}
	tomcatReads = reads( // the domain is Catalina, and Tomcat where it is embedded
		[]string{"*:type=ThreadPool,name=*", "currentThreadsBusy", "maxThreads", "connectionCount", "maxConnections"},
		[]string{"*:type=GlobalRequestProcessor,name=*", "requestCount", "errorCount", "processingTime", "bytesSent"},
		[]string{"*:type=Executor,name=*", "activeCount", "maxThreads", "queueSize"},
	)
)

// tomcat reads connectors and executors. A connector with an executor says -1 of its own threads: the executor's are meant.
func tomcat(beans []bean, b *batch) {
	for _, x := range beans {
		connector := []string{"connector", x.label("name")}
		switch x.keys["type"] {
		case "ThreadPool":
			if limit, ok := x.number("maxThreads"); ok && limit > 0 {
				x.add(b, tomcatBusy, "currentThreadsBusy", 1, connector...)
				b.add(tomcatLimit, limit, connector...)
			}
			x.add(b, tomcatConns, "connectionCount", 1, connector...)
			x.add(b, tomcatConnLimit, "maxConnections", 1, connector...)
		case "GlobalRequestProcessor":
			x.add(b, tomcatRequests, "requestCount", 1, connector...)
			x.add(b, tomcatErrors, "errorCount", 1, connector...)
			x.add(b, tomcatSeconds, "processingTime", 1e-3, connector...)
			x.add(b, tomcatSent, "bytesSent", 1, connector...)
		case "Executor":
			executor := []string{"connector", "executor " + x.label("name")}
			x.add(b, tomcatBusy, "activeCount", 1, executor...)
			x.add(b, tomcatLimit, "maxThreads", 1, executor...)
			x.add(b, tomcatQueue, "queueSize", 1, executor...)
		}
	}
}
