package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestSecretsOfCommands has the secrets of a command as the plugins in use take them. X and HIDDEN stand for what nobody is to see.
func TestSecretsOfCommands(t *testing.T) {
	for line, want := range map[string]string{
		"/p/check_mysql -H db -u nagios -p HIDDEN1 -P 3306":                   "/p/check_mysql -H db -u nagios -p $(PASSWORD) -P 3306",
		"/p/check_mysql -pHIDDEN1":                                            "/p/check_mysql -p$(PASSWORD)",
		"/p/check_mysql -p 12345678":                                          "/p/check_mysql -p $(PASSWORD)",
		"/p/check_pgsql -l nagios --password=HIDDEN1":                         "/p/check_pgsql -l nagios --password=$(PASSWORD)",
		"/p/check_http -H a -p 8080 -a ann:HIDDEN1 -u /x":                     "/p/check_http -H a -p 8080 -a ann:$(PASSWORD) -u /x",
		"/p/check_http -I ::1 -k 'X-Auth-Token: HIDDEN1'":                     "/p/check_http -I ::1 -k $(ARGUMENT)",
		"/p/check_http -u 'https://ann:HIDDEN1@a/x'":                          "/p/check_http -u https://ann:$(PASSWORD)@a/x",
		"/usr/bin/curl -u ann:HIDDEN1 https://a":                              "/usr/bin/curl -u ann:$(PASSWORD) https://a",
		"/p/check_snmp -H s -C HIDDEN1 -o sysUpTime.0":                        "/p/check_snmp -H s -C $(COMMUNITY) -o sysUpTime.0",
		"/p/check_snmp -L authPriv -U m -A HIDDEN1 -X HIDDEN2":                "/p/check_snmp -L authPriv -U m -A $(PASSWORD) -X $(PASSWORD_2)",
		"/p/check_snmp_storage.pl --community HIDDEN1 -w 80":                  "/p/check_snmp_storage.pl --community $(COMMUNITY) -w 80",
		"/usr/bin/snmpget -v2c -c HIDDEN1 host oid":                           "/usr/bin/snmpget -v2c -c $(COMMUNITY) host oid",
		"/p/check_nt -H w -p 12489 -s HIDDEN1 -v UPTIME":                      "/p/check_nt -H w -p 12489 -s $(PASSWORD) -v UPTIME",
		"/p/check_ldap -H l -b dc=x -D cn=m -P HIDDEN1":                       "/p/check_ldap -H l -b dc=x -D cn=m -P $(PASSWORD)",
		"/usr/bin/sudo /p/check_mongodb.py -p HIDDEN1":                        "/usr/bin/sudo /p/check_mongodb.py -p $(PASSWORD)",
		"/p/check_centreon --snmp-community='HIDDEN1' --api-password HIDDEN2": "/p/check_centreon --snmp-community=$(COMMUNITY) --api-password $(PASSWORD)",
		"/p/check_x redis://:HIDDEN1@r:6379":                                  "/p/check_x redis://:$(PASSWORD)@r:6379",
		"/bin/sh -c '/p/check_mysql -p \"HIDDEN1\" | tail -1'":                "/bin/sh -c /p/check_mysql -p \"$(PASSWORD)\" | tail -1",

		// What is no secret stays.
		"/p/check_nrpe -H h -p 5666 -c check_load -a 10 20":     "",
		"/p/check_disk -w 20% -c 10% -p /var -x tmpfs":          "",
		"/p/check_procs -C cron -c 1:":                          "",
		"/p/check_http -C 30,14 -p 443 --sni":                   "",
		"/p/check_tcp -H h -p 22":                               "",
		"/p/check_dns -H a -a 2001:db8::1":                      "",
		"/p/check_ssh -p 22 h":                                  "",
		"/p/check_by_ssh -H h -C uptime":                        "",
		"/p/check_load -w 5,4,3 -c 10,8,6":                      "",
		"/p/check_ping -H h -w 100,20% -c 500,60% -p 5":         "",
		"/p/check_password_expiry -u root -w 30 --days 10":      "",
		"/p/check_mysql -p ${env:PW}":                           "",
		"/p/check_http --useragent x -u /login?next=/passwords": "",
	} {
		r, err := Import([]File{{"/x/statsd.js", []byte("{port: 1, backends: []}")}}, "/etc/binnacle")
		if err != nil {
			t.Fatal(err)
		}
		words, _ := shellWords(line)
		got, vars := r.conceal(words)
		if want == "" {
			if want = strings.Join(words, " "); len(vars) > 0 {
				t.Errorf("%s: has secrets: %v", line, vars)
			}
		}
		if have := strings.Join(got, " "); have != want || strings.Contains(fmt.Sprint(got, vars), "HIDDEN") {
			t.Errorf("%s\n is %s\nwant %s", line, have, want)
		}
		for n := 1; n <= strings.Count(line, "HIDDEN"); n++ {
			whole := false
			for _, v := range r.Secrets {
				whole = whole || v == fmt.Sprintf("HIDDEN%d", n) || strings.HasSuffix(v, "Token: HIDDEN1")
			}
			if !whole {
				t.Errorf("%s: the files hold %v", line, r.Secrets)
			}
		}
	}
}

// TestWhatProgramsAreStartedWithIsNotShown imports what Nagios keeps its passwords in: a resource file, variables of hosts, arguments.
func TestWhatProgramsAreStartedWithIsNotShown(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"nagios.cfg":   "cfg_file=objects.cfg\nresource_file=resource.cfg\n",
		"resource.cfg": "$USER1$=/bin\n$USER3$=HIDDEN1\n$USER4$=-u me -p HIDDEN4\n",
		"objects.cfg": "define command {\n command_name c\n command_line $USER1$/true -a me:$USER3$ --password=HIDDEN2 $_HOSTSNMPCOMMUNITY$ $USER4$\n}\n" +
			"define command {\n command_name gone\n command_line /nowhere/x $USER3$\n}\ndefine command {\n command_name odd\n command_line x -p HIDDEN6\n}\n" +
			"define host {\n host_name h\n check_command c\n _SNMPCOMMUNITY HIDDEN3\n}\ndefine service {\n host_name h\n service_description s\n check_command gone\n}\n" +
			"define service {\n host_name h\n service_description o\n check_command odd\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "nagios.cfg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, cfg := written(t, dir, File{path, b})
	config, err := yaml.Marshal(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	in, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if shown := r.Masked(config) + string(config) + string(in) + strings.Join(r.Report, "\n"); strings.Contains(shown, "HIDDEN") || !strings.Contains(shown, "/bin/true") {
		t.Errorf("shown:\n%s", shown)
	}
	var have []string
	for _, v := range r.Secrets {
		have = append(have, v)
	}
	slices.Sort(have)
	if want := []string{"HIDDEN1", "HIDDEN2", "HIDDEN3", "HIDDEN4"}; !slices.Equal(have, want) {
		t.Errorf("the files hold %v, want %v", have, want)
	}
}
