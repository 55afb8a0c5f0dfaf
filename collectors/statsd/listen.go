package statsd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/collectors/sockets"
)

// Listener is one address to receive on, as an operator writes it:
//
//	udp://127.0.0.1:8125?signed_gauges=true&readers=2
//	unixgram:///run/binnacle/statsd.sock?mode=0666
//	tcp://127.0.0.1:8125
type Listener struct {
	sockets.Place
	Dialect Dialect
}

// ParseListener reads the written form. Its error says what is wrong with it.
func ParseListener(s string) (Listener, error) {
	l := Listener{Place: sockets.Place{Owner: "statsd", Readers: 1}}
	u, err := url.Parse(s)
	if err != nil {
		return l, fmt.Errorf("%q: want udp://host:port, unixgram:///path or tcp://host:port", s)
	}
	switch l.Network = u.Scheme; l.Network {
	case "udp", "tcp":
		host, port, err := net.SplitHostPort(u.Host)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n > 65535 || u.Path != "" {
			return l, fmt.Errorf("%q: want %s://host:port", s, l.Network)
		}
		l.Address = net.JoinHostPort(host, port)
	case "unixgram":
		if l.Address = u.Path; u.Host != "" || !strings.HasPrefix(l.Address, "/") {
			return l, fmt.Errorf("%q: want unixgram:///absolute/path", s)
		}
	default:
		return l, fmt.Errorf("%q: want udp://host:port, unixgram:///path or tcp://host:port", s)
	}
	return l, l.query(s, u.Query())
}

func (l *Listener) query(s string, q url.Values) error {
	for key, v := range q {
		var err error
		switch {
		case key == "signed_gauges":
			l.Dialect.Signed, err = strconv.ParseBool(v[0])
		case key == "dialect":
			var known bool
			if l.Dialect.Style, known = styleOf(v[0]); !known {
				err = errors.New("want " + strings.Join(styleNames[:], ", "))
			}
		case key == "other_nodes":
			l.Dialect.Believes, err = strconv.ParseBool(v[0])
		case key == "readers" && l.Network == "udp":
			l.Readers, err = strconv.Atoi(v[0])
			if err == nil && (l.Readers < 1 || l.Readers > 64) {
				err = errors.New("outside 1 to 64")
			}
		case key == "mode" && l.Network == "unixgram":
			var mode uint64
			mode, err = strconv.ParseUint(v[0], 8, 9)
			l.Mode = os.FileMode(mode)
		default:
			return fmt.Errorf("%q: unknown option %q for %s", s, key, l.Network)
		}
		if err != nil {
			return fmt.Errorf("%q: %s=%s: %w", s, key, v[0], err)
		}
	}
	return nil
}
