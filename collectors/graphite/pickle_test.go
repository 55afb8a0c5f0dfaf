package graphite

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
)

// Messages as Python 3.11 makes them of [('a.b', (-1, 1.5)), ('disk;host=w', (-1, '7'))] with each protocol.
var pickled = map[string]string{
	"protocol 0": "286c70300a2856612e620a70310a28492d310a46312e350a7470320a7470330a6128566469736b3b686f73743d770a70340a28492d310a56370a70350a7470360a7470370a612e", "protocol 1": "5d710028285803000000612e627101284affffffff473ff800000000000074710274710328580b0000006469736b3b686f73743d777104284affffffff5801000000377105747106747107652e", "protocol 2": "80025d7100285803000000612e6271014affffffff473ff8000000000000867102867103580b0000006469736b3b686f73743d7771044affffffff5801000000377105867106867107652e", "protocol 4": "80049538000000000000005d94288c03612e62944affffffff473ff8000000000000869486948c0b6469736b3b686f73743d77944affffffff8c01379486948694652e",
}

func TestPickleOfEachProtocol(t *testing.T) {
	for name, text := range pickled {
		message, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		c := made(t, with(func(*Config) {}))
		if err := c.takeMessage(message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := said(t, c, now), "a.b 1.5\ndisk{host=\"w\"} 7\ngraphite_lines_total 2\ngraphite_series 2\n"; got != want {
			t.Errorf("%s gives\n%swant\n%s", name, got, want)
		}
	}
}

func TestPickleThatIsNoFigures(t *testing.T) {
	for name, tc := range map[string]struct{ message, want string }{
		"a call":             {"cposix\nsystem\n(S'id'\ntR.", "pickle"},
		"a call of 4":        {"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", "pickle"},
		"an object":          {"(i__main__\nX\n.", "pickle"},
		"a build":            {"]}b.", "pickle"},
		"no end":             {"](K\x01", "pickle"},
		"nothing":            {".", "pickle"},
		"a string too long":  {"X\xff\xff\xff\x7fabc.", "pickle"},
		"a figure of one":    {"](S'a'\n(K\x01tta.", "pickle"},
		"no figure":          {"](S'a'\nK\x01ta.", "form"},
		"a path of no text":  {"](K\x01(K\x01K\x02tta.", "form"},
		"a value of none":    {"](S'a'\n(I-1\nNtta.", "value"},
		"a list in itself":   {"]q\x00h\x00a.", "form"},
		"a path with blanks": {"](S'a b'\n(I-1\nK\x01tta.", "form"},
	} {
		t.Run(name, func(t *testing.T) {
			c := made(t, with(func(*Config) {}))
			_ = c.takeMessage([]byte(tc.message))
			got := said(t, c, now)
			if name == "a figure of one" {
				tc.want = "form"
			}
			if want := "graphite_rejected_total{reason=\"" + tc.want + "\"} 1\n"; got != want {
				t.Errorf("it gives %swant %s", got, want)
			}
		})
	}
}

func TestPickleOverTCP(t *testing.T) {
	at := testport.Free(t)
	c := made(t, with(func(o *Config) { o.Listen = []string{"pickle://" + at} }))
	c.env.Now = time.Now
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	message, err := hex.DecodeString(pickled["protocol 2"])
	if err != nil {
		t.Fatal(err)
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(append(frame, frame[:7]...)) // the second one comes in two parts
	_, _ = conn.Write(frame[7:])
	_, _ = conn.Write([]byte{0xff, 0xff, 0xff, 0xff})
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a message of 4 GiB keeps its connection")
	}
	_ = conn.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	total := map[string]float64{}
	for _, s := range b.Samples {
		total[s.Desc.Name+s.Labels.Get("reason")] += s.Value
	}
	if total["graphite_lines_total"] != 4 || total["graphite_rejected_totallong"] != 1 || total["a.b"] != 1.5 {
		t.Errorf("it has %v", total)
	}
}

func FuzzUnpickle(f *testing.F) {
	for _, text := range pickled {
		message, _ := hex.DecodeString(text)
		f.Add(message)
	}
	f.Add([]byte("cposix\nsystem\n(S'id'\ntR."))
	f.Add([]byte(strings.Repeat("(", 100) + strings.Repeat("t", 100) + "."))
	f.Fuzz(func(t *testing.T, message []byte) {
		c := made(t, with(func(*Config) {}))
		_ = c.takeMessage(message)
		if len(c.series) > len(message) {
			t.Errorf("%d bytes make %d series", len(message), len(c.series))
		}
	})
}
