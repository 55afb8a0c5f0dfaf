package rabbitmq

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// maxTextLine bounds one line of the text format, in bytes. A longer one is not of a metric.
const maxTextLine = 64 << 10

type textLabel struct{ name, value string }

// parseText reads the Prometheus text format as it comes, a line in memory at a time, and yields
// each sample; labels are valid during the call only. Comments and timestamps are passed over. A line that is none
// is an error that tells it: half an answer must not look like a whole one.
// Source: prometheus.io/docs/instrumenting/exposition_formats, read November 2026.
func parseText(r io.Reader, yield func(name string, labels []textLabel, value float64)) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 16<<10), maxTextLine)
	var labels []textLabel
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimRight(sc.Bytes(), " \t\r")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		at := bytes.IndexAny(line, "{ \t")
		if at <= 0 {
			return fmt.Errorf("line %d: want a metric, have %.40q", n, line)
		}
		name, rest := string(line[:at]), line[at:]
		labels = labels[:0]
		var err error
		if rest[0] == '{' {
			if labels, rest, err = parseTextLabels(rest[1:], labels); err != nil {
				return fmt.Errorf("line %d: %s: %w", n, name, err)
			}
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return fmt.Errorf("line %d: %s: want a value, have none", n, name)
		}
		v, err := strconv.ParseFloat(string(fields[0]), 64)
		if err != nil {
			return fmt.Errorf("line %d: %s: want a value, have %.40q", n, name, fields[0])
		}
		yield(name, labels, v)
	}
	return sc.Err()
}

// parseTextLabels reads name="value",... up to and with the closing brace.
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
		name := string(bytes.TrimSpace(in[:eq]))
		value, rest, ok := unquoteText(in[eq+2:])
		if !ok {
			return labels, nil, fmt.Errorf("label %s does not end", name)
		}
		labels, in = append(labels, textLabel{name, value}), rest
	}
}

// unquoteText reads up to the closing quote and undoes \\, \" and \n.
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
			if in[i] == 'n' {
				out = append(out, '\n')
			} else {
				out = append(out, in[i])
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
