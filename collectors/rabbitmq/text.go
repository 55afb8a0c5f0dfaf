package rabbitmq

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxTextLine bounds one line of the text format, in bytes. A longer one is not of a metric.
const maxTextLine = 64 << 10

type textLabel struct{ name, value string }

// errTextLine says that a line is no sample.
var errTextLine = errors.New("want a sample")

// parseText reads the Prometheus text format as it comes, a line in memory at a time, and yields
// each sample; labels are valid during the call only. Comments and timestamps are passed over, and so is a value that is
// no number by design (NaN). A line that is none is handed to reject, and the rest is read: until 3.12.6 the broker does not
// escape the names in it. An answer that breaks off, or has no line that is a sample, is an error.
// Source: prometheus.io/docs/instrumenting/exposition_formats, read November 2026; rabbitmq-server issue 9648.
func parseText(r io.Reader, reject func(reason, line string), yield func(name string, labels []textLabel, value float64)) error {
	in := bufio.NewReaderSize(r, maxTextLine)
	var labels []textLabel
	good, bad := 0, ""
	drop := func(line []byte) {
		if bad == "" {
			bad = string(line[:min(len(line), 80)])
		}
		reject("text", string(line))
	}
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			drop(line)
			err = skipLine(in)
			line = nil
		}
		if errors.Is(err, io.EOF) && len(line) > 0 {
			return fmt.Errorf("%w, have %.80q and no end of the line: the answer breaks off", errTextLine, line)
		}
		if line = bytes.TrimRight(line, " \t\r\n"); len(line) > 0 && line[0] != '#' {
			name, found, v, perr := parseSample(line, labels[:0])
			labels = found
			switch {
			case perr != nil:
				drop(line)
			default:
				good++
				if !math.IsNaN(v) && !math.IsInf(v, 0) {
					yield(name, labels, v)
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF) && good == 0 && bad != "":
			return fmt.Errorf("%w, have %.80q", errTextLine, bad)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// skipLine reads to the end of a line.
func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// parseSample reads "name{labels} value timestamp".
func parseSample(line []byte, labels []textLabel) (name string, _ []textLabel, v float64, err error) {
	at := bytes.IndexAny(line, "{ \t")
	if at <= 0 || !isName(line[:at]) {
		return "", labels, 0, errTextLine
	}
	rest := line[at:]
	if rest[0] == '{' {
		if labels, rest, err = parseTextLabels(rest[1:], labels); err != nil {
			return "", labels, 0, err
		}
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return "", labels, 0, errTextLine
	}
	v, err = strconv.ParseFloat(string(fields[0]), 64)
	return string(line[:at]), labels, v, err
}

// isName reports whether a name is one of a metric or of a label.
func isName(in []byte) bool {
	for i, c := range in {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(in) > 0
}

// parseTextLabels reads name="value",... up to and with the closing brace. A label that comes twice with two values makes
// the line unreadable; with one value it is one (4.0.0 to 4.0.2 tell vhost twice).
func parseTextLabels(in []byte, labels []textLabel) ([]textLabel, []byte, error) {
	for {
		in = bytes.TrimLeft(in, " ,")
		if len(in) > 0 && in[0] == '}' {
			return labels, in[1:], nil
		}
		eq := bytes.Index(in, []byte(`="`))
		if eq <= 0 {
			return labels, nil, fmt.Errorf("want a label, have %.40q", in)
		}
		name := bytes.TrimSpace(in[:eq])
		value, rest, ok := unquoteText(in[eq+2:])
		if !ok || !isName(name) || len(rest) == 0 || rest[0] != ',' && rest[0] != '}' && rest[0] != ' ' {
			return labels, nil, fmt.Errorf("label %.40q does not end", name)
		}
		l := textLabel{string(name), value}
		for _, before := range labels {
			if before.name == l.name && before.value != l.value {
				return labels, nil, fmt.Errorf("label %s comes twice", l.name)
			}
		}
		labels, in = append(labels, l), rest
	}
}

// unquoteText reads up to the closing quote and undoes \\, \" and \n. What follows a backslash beside those stands there as
// it is, and the backslash too.
func unquoteText(in []byte) (string, []byte, bool) {
	var out []byte
	from := 0
	for i := 0; i < len(in); i++ {
		switch in[i] {
		case '"':
			return string(append(out, in[from:i]...)), in[i+1:], true
		case '\\':
			if i+1 == len(in) {
				return "", nil, false
			}
			out = append(out, in[from:i]...)
			i++
			switch in[i] {
			case 'n':
				out = append(out, '\n')
			case '"', '\\':
				out = append(out, in[i])
			default:
				out = append(out, '\\', in[i])
			}
			from = i + 1
		}
	}
	return "", nil, false
}

func labelValue(labels []textLabel, name string) string {
	for _, l := range labels {
		if l.name == name {
			return l.value
		}
	}
	return ""
}
