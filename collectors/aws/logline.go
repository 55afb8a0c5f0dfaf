package aws

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// Bounds of one file.
const (
	maxLogBytes = 2 << 30 // unpacked
	maxLogLine  = 64 << 10
	maxReasons  = 30 // of one balancer in one file that are AWS's own words
)

// balancerOf is the balancer whose access log a file is, by its name; ok is false for the logs of connections and of health checks.
// Source: Elastic Load Balancing user guides, "Access log files", read 30 November 2026.
func balancerOf(key string) (name string, ok bool) {
	parts := strings.Split(path.Base(key), "_")
	if len(parts) < 7 || parts[1] != "elasticloadbalancing" || strings.Trim(parts[0], "0123456789") != "" || parts[0] == "" {
		return "", false
	}
	if !strings.HasSuffix(key, ".log") && !strings.HasSuffix(key, ".log.gz") {
		return "", false
	}
	return strings.Join(parts[3:len(parts)-3], "_"), true // a balancer's name has no underscore, but who knows
}

var errTooLong = errors.New("it is larger than 2 GiB unpacked")

// countLog counts the requests of a file by code and reason. bad is how many lines are none.
func countLog(r io.Reader, balancer string, packed bool, env collectors.Env) (counts map[logCount]float64, bad int, err error) {
	if packed {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, 0, err
		}
		defer z.Close()
		r = z
	}
	whole := &io.LimitedReader{R: r, N: maxLogBytes}
	lines := bufio.NewReaderSize(whole, maxLogLine)
	counts, words := map[logCount]float64{}, map[string]bool{}
	for {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long: what is counted stands at its begin
			_, err = lines.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if text := strings.TrimRight(string(line), "\r\n"); text != "" && !long {
			of, ok := logLine(text)
			if ok {
				of.Balancer = balancer
				if of.Reason = bounded(of.Reason, words); of.Reason == "" {
					of.Reason = "none"
				}
				counts[of]++
			} else {
				bad++
				env.Reject("elb_log", text)
			}
		} else if long {
			bad++
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if whole.N <= 0 {
		return nil, 0, errTooLong
	}
	return counts, bad, nil
}

// bounded keeps AWS's own words few.
func bounded(reason string, words map[string]bool) string {
	if !words[reason] && len(words) >= maxReasons {
		return "others"
	}
	words[reason] = true
	return reason
}

// logLine reads one request: a line of a classic balancer begins with its time, one of another with its kind.
// Source: Elastic Load Balancing user guides, "Access log entries" of classic and application balancers, read 30 November 2026.
func logLine(text string) (of logCount, ok bool) {
	f := fields(text)
	at := 0 // of the time
	if len(f) > 0 && (f[0] == "" || f[0][0] < '0' || f[0][0] > '9') {
		if f[0] == "tls" { // of a network balancer, which answers nothing
			return logCount{Code: "none", Reason: "tls"}, len(f) > 5
		}
		at = 1
	}
	if len(f) < at+12 || !strings.Contains(f[at], "T") {
		return of, false
	}
	target, code, backend := f[at+3], f[at+7], f[at+8]
	if code == "-" { // of a TCP listener
		return logCount{Code: "none"}, true
	}
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || strings.Trim(code, "0123456789") != "" {
		return of, false
	}
	word := func(n int) string {
		if at == 1 && len(f) > n && f[n] != "-" {
			return f[n]
		}
		return ""
	}
	return logCount{Code: code, Reason: reasonOf(code, backend, target, word(24), word(28))}, true
}

// given are the codes that a balancer gives itself, and why.
// Source: Elastic Load Balancing user guides, "HTTP 4xx and 5xx errors" and "Troubleshoot", read 30 November 2026.
var given = map[string]string{
	"400": "bad_request", "401": "unauthorized", "403": "forbidden", "405": "method", "408": "client_timeout", "413": "too_large", "414": "too_long", "460": "client_closed",
	"463": "too_many_addresses", "464": "protocol", "500": "balancer", "502": "bad_answer", "503": "no_target", "504": "target_timeout", "505": "version", "561": "identity_provider",
}

// reasonOf is why a request was answered as it was, in few words: the target said so, AWS's own word, or what the code means.
func reasonOf(code, backend, target, fault, class string) string {
	switch {
	case code < "400":
		return ""
	case backend == code:
		return "target"
	case fault != "":
		return label(fault)
	case class != "":
		return label(class)
	case code == "502" && target == "-":
		return "no_connection"
	}
	if why := given[code]; why != "" {
		return why
	}
	return "balancer"
}

// label makes a label's value of a word.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), 60)]
}

// fields splits a line at spaces, but for those between quotes.
func fields(text string) (out []string) {
	for len(text) > 0 && len(out) < 40 {
		if text[0] == '"' {
			end := 1
			for end < len(text) && (text[end] != '"' || text[end-1] == '\\') {
				end++
			}
			out = append(out, text[1:end])
			text = strings.TrimPrefix(text[min(end+1, len(text)):], " ")
			continue
		}
		field, rest, _ := strings.Cut(text, " ")
		out, text = append(out, field), rest
	}
	return out
}
