package importer

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/secret"
)

// What of a program's arguments is a secret. Programs of others name their options as they like: those of the plugins in use are
// here, and whatever the one redactor would hide.
// Source: help of monitoring-plugins 2.3, of Centreon's, Consol Labs' and Icinga's plugins, and of curl and net-snmp, read 30 November 2026.
var (
	secretOption = regexp.MustCompile(`(?i)^--?((?:[a-z0-9]+[_-])*(?:pass|passwd|password|passphrase|pwd|secret|token|community|authpass(?:wd|word)?|privpass(?:wd|word)?|api-?key|apikey|credentials?|secret-?key|access-?key|auth-?key|priv-?key))$`)
	loginOption  = regexp.MustCompile(`^(-a|-b|-u|-U|--user|--auth|--authorization|--proxy-authorization|--proxy-user|--basic-auth|--login)$`)
	takesPass    = regexp.MustCompile(`(?i)mysql|maria|pgsql|postgres|smb|radius|dbi|mssql|mongo|rabbit|vmware|esx|wmi|oracle|tomcat|ilo|redfish|idrac|ipmi|netapp|imap|pop|ftp|jmx|jolokia`)
	bigPass      = regexp.MustCompile(`(?i)ldap|ipmi|mssql|ftp`) // whose -P is a password
	noCommunity  = regexp.MustCompile(`procs|ssh|ssl|cert`)      // whose -C is none
	asksHTTP     = regexp.MustCompile(`(?i)http|curl|wget|json|rest|elastic|solr|url|web`)
	shellToken   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'|;&<>]+`)
)

// known is a text that nobody is to see, and what it is called.
type known struct{ text, name string }

// keep notes what a file of others holds in place of a secret: its words too, where it is several.
func (r *Result) keep(name, value string) {
	words, _ := shellWords(value)
	for _, v := range append([]string{value}, words...) {
		if len(v) > 3 && !strings.HasPrefix(v, "/") && (v == value || !strings.HasPrefix(v, "-")) {
			r.private = append(r.private, known{v, name})
		}
	}
}

// conceal puts the secrets of a command into files, and returns the command that names them, and the program's variables that hold
// them.
func (r *Result) conceal(command []string) ([]string, map[string]any) {
	out, vars := append([]string(nil), command...), map[string]any{}
	put := func(k known) string {
		ref := r.hide("program-"+strings.ToLower(k.name), k.text)
		name := k.name
		for n := 2; vars[name] != nil && vars[name] != ref; n++ {
			name = fmt.Sprintf("%s_%d", k.name, n)
		}
		vars[name] = ref
		return "$(" + name + ")"
	}
	if len(out) == 3 && out[0] == "/bin/sh" && out[1] == "-c" {
		out[2] = concealLine(out[2], put)
	} else {
		concealWords(out, put)
	}
	for i := 1; i < len(out); i++ {
		for _, k := range r.private {
			if strings.Contains(out[i], k.text) {
				out[i] = strings.ReplaceAll(out[i], k.text, put(k))
			}
		}
	}
	return out, vars
}

// concealLine conceals the secrets in a line for a shell. What stands for them is replaced before the shell reads it.
func concealLine(line string, put func(known) string) string {
	at := shellToken.FindAllStringIndex(line, -1)
	words := make([]string, len(at))
	for i, a := range at {
		words[i] = strings.Trim(line[a[0]:a[1]], `"'`)
	}
	before := append([]string(nil), words...)
	concealWords(words, put)
	for i := len(at) - 1; i >= 0; i-- {
		if words[i] != before[i] {
			token := strings.Replace(line[at[i][0]:at[i][1]], before[i], words[i], 1)
			line = line[:at[i][0]] + token + line[at[i][1]:]
		}
	}
	return line
}

// concealWords conceals the secrets in words of a command, in place.
func concealWords(words []string, put func(known) string) {
	if len(words) == 0 {
		return
	}
	base := filepath.Base(words[0])
	for _, w := range words {
		if b := filepath.Base(w); strings.HasPrefix(b, "check_") { // sudo, timeout and the like start it
			base = b
			break
		}
	}
	for i := 1; i < len(words); i++ {
		option, value, joined := strings.Cut(words[i], "=")
		if !joined || !strings.HasPrefix(option, "-") {
			option, value, joined = words[i-1], words[i], false
		}
		prefix := strings.TrimSuffix(words[i], value)
		if len(words[i]) > 2 && !joined && words[i][0] == '-' && words[i][1] != '-' { // -pVALUE
			option, value, prefix = words[i][:2], words[i][2:], words[i][:2]
		}
		if begin, hidden, name := ofOption(base, option, value); name != "" {
			words[i] = prefix + begin + put(known{hidden, name})
			continue
		}
		words[i] = concealURL(words[i], put)
		if secret.Redact(words[i]) != words[i] && !strings.Contains(words[i], "$(") {
			words[i] = put(known{words[i], "ARGUMENT"})
		}
	}
}

// ofOption says what of an option's value is a secret: what follows begin. name is "" where nothing is.
func ofOption(base, option, value string) (begin, hidden, name string) {
	_, err := strconv.ParseFloat(strings.ReplaceAll(value, ",", ""), 64)
	number := err == nil
	snmp := strings.Contains(strings.ToLower(base), "snmp")
	switch {
	case value == "" || strings.HasPrefix(value, "-") && len(option) == 2 || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "$("):
	case secretOption.MatchString(option):
		if strings.Contains(strings.ToLower(option), "community") {
			return "", value, "COMMUNITY"
		}
		return "", value, "PASSWORD"
	case option == "-p" && takesPass.MatchString(base),
		option == "-p" && !number && !strings.HasPrefix(value, "/") && !strings.Contains(base, "disk") && !strings.Contains(value, "%"),
		option == "-P" && !number && bigPass.MatchString(base),
		option == "-s" && base == "check_nt", option == "-x" && (snmp || strings.Contains(base, "redis")), (option == "-A" || option == "-X") && snmp:
		return "", value, "PASSWORD"
	case option == "-C" && !number && !noCommunity.MatchString(base) && !asksHTTP.MatchString(base),
		option == "-c" && strings.HasPrefix(base, "snmp"):
		return "", value, "COMMUNITY"
	case loginOption.MatchString(option) && (asksHTTP.MatchString(base) || len(option) > 2):
		user, pw, ok := strings.Cut(value, ":")
		if ok && pw != "" && net.ParseIP(value) == nil && !strings.Contains(user, "/") && !strings.HasPrefix(pw, "//") {
			return user + ":", pw, "PASSWORD"
		}
	}
	return "", "", ""
}

// concealURL conceals the password in a URL.
func concealURL(word string, put func(known) string) string {
	u, err := url.Parse(word)
	if err != nil || u.User == nil {
		return word
	}
	begin, rest, ok := strings.Cut(word, "://"+u.User.String()+"@")
	pw, has := u.User.Password()
	if !ok || !has || pw == "" {
		return word
	}
	user, _, _ := strings.Cut(u.User.String(), ":")
	_, shown, _ := strings.Cut(u.User.String(), ":") // as it is written there
	return begin + "://" + user + ":" + put(known{shown, "PASSWORD"}) + "@" + rest
}

// loginOut takes the login out of an address of m, which would show it, into fields of its own.
func loginOut(m map[string]any, address, user string) {
	u, err := url.Parse(text(m[address]))
	if err != nil || u.User == nil {
		return
	}
	m[user] = u.User.Username()
	if pw, ok := u.User.Password(); ok {
		m["password"] = pw
	}
	u.User = nil
	m[address] = u.String()
}

// variables are those that a program of others is started with, NAME=VALUE each. All are in files: who knows what they hold.
func (r *Result) variables(all []any) map[string]any {
	out := map[string]any{}
	for _, one := range all {
		if name, value, ok := strings.Cut(text(one), "="); ok {
			out[name] = r.hide("program-"+strings.ToLower(name), env(value))
		}
	}
	return out
}
