package receivers

import (
	"bufio"
	"fmt"
	"mime"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// postOffice stands in for a mail server: it keeps what it is given, and misbehaves as told.
type postOffice struct {
	net.Listener
	mu   sync.Mutex
	mode string // "", greylist, refuse, busy, stall, lost
	got  []string
	wg   sync.WaitGroup
}

func newPostOffice(t *testing.T) *postOffice {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{Listener: l}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return p
}

func (p *postOffice) set(mode string) { p.mu.Lock(); p.mode = mode; p.mu.Unlock() }

func (p *postOffice) letters() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.got...)
}

func (p *postOffice) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	mode := p.mode
	p.mu.Unlock()
	in := bufio.NewScanner(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	if mode == "busy" {
		say("421 too many connections")
		return
	}
	if mode == "stall" {
		in.Scan() // what never comes: the client waits for a greeting
		return
	}
	say("220 mail.example")
	for in.Scan() {
		switch word := strings.ToUpper(strings.SplitN(in.Text(), " ", 2)[0]); {
		case word == "EHLO" || word == "HELO":
			say("250 mail.example")
		case word == "RCPT" && mode == "greylist":
			say("450 try again later")
		case word == "RCPT" && mode == "refuse":
			say("550 no such user")
		case word == "DATA":
			say("354 go on")
			var letter strings.Builder
			for in.Scan() && in.Text() != "." {
				letter.WriteString(in.Text() + "\n")
			}
			p.mu.Lock()
			p.got = append(p.got, letter.String())
			p.mu.Unlock()
			if mode == "lost" {
				return // it has the letter, and says nothing
			}
			say("250 taken")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// TestALetterIsSentAndSaysWhatBecameOfIt has a mail server misbehave in each way before it takes a letter.
func TestALetterIsSentAndSaysWhatBecameOfIt(t *testing.T) {
	p := newPostOffice(t)
	fields := fmt.Sprintf("{to: ops@example.com, from: binnacle@example.com, smarthost: '%s', require_tls: false, send_resolved: true}", p.Addr())
	p.set("stall")
	if res := newHasty(t, newService(t), "email", fields).Send(t.Context(), act(alerting.Trigger)); res.Outcome == alerting.Accepted {
		t.Error("stall: accepted")
	}
	r := newTest(t, newService(t), "email", fields)
	for _, mode := range []string{"busy", "greylist", "refuse", "lost"} {
		p.set(mode)
		if res := r.Send(t.Context(), act(alerting.Trigger)); res.Outcome == alerting.Accepted {
			t.Errorf("%s: accepted", mode)
		}
	}
	p.set("")
	if res := r.Send(t.Context(), act(alerting.Trigger)); res.Outcome != alerting.Accepted {
		t.Fatalf("%+v; want accepted", res)
	}
	if res := r.Send(t.Context(), act(alerting.Resolve)); res.Outcome != alerting.Accepted {
		t.Errorf("the end: %+v; want accepted", res)
	}
	got := p.letters()
	if len(got) != 3 { // the one whose answer was lost, its repetition, and the end
		t.Fatalf("%d letters; want 3", len(got))
	}
	subject := ""
	for line := range strings.Lines(got[1]) {
		if s, ok := strings.CutPrefix(line, "Subject: "); ok {
			subject = strings.TrimSpace(s)
		}
	}
	if s, err := new(mime.WordDecoder).DecodeHeader(subject); err != nil || !strings.Contains(s, "P1 ") || !strings.Contains(s, "Uploads fail") {
		t.Errorf("subject %q, %v; want the page's title", s, err)
	}
	if !strings.Contains(got[1], "delete old logs") || !strings.Contains(got[1], "ops@example.com") {
		t.Errorf("the letter lacks its guidance or its address:\n%s", got[1])
	}
}

// TestAMessageGoesToSNS has SNS misbehave in each way before it takes a message.
func TestAMessageGoesToSNS(t *testing.T) {
	s := newService(t)
	s.answer = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`
	fields := fmt.Sprintf("{api_url: '%s', topic_arn: 'arn:aws:sns:eu-west-1:123456789012:pages', sigv4: {region: eu-west-1, access_key: AKID, secret_key: KEY}}", s.URL)
	s.set("stall")
	if res := newHasty(t, s, "sns", fields).Send(t.Context(), act(alerting.Trigger)); res.Outcome == alerting.Accepted {
		t.Error("stall: accepted")
	}
	r := newTest(t, s, "sns", fields)
	for _, mode := range []string{"429", "500", "400", "page", "lost"} {
		s.set(mode)
		if res := r.Send(t.Context(), act(alerting.Trigger)); res.Outcome == alerting.Accepted {
			t.Errorf("%s: accepted", mode)
		}
	}
	s.set("")
	if res := r.Send(t.Context(), act(alerting.Trigger)); res.Outcome != alerting.Accepted {
		t.Fatalf("%+v; want accepted", res)
	}
	got := s.bodies()
	if last := got[len(got)-1]; !strings.Contains(last, "Action=Publish") || !strings.Contains(last, "Uploads+fail") {
		t.Errorf("posted %s; want the page", last)
	}
}
