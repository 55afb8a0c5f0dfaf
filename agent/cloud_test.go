package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// sqsServer is a queue that speaks as SQS does: JSON 1.0, what was received comes no more once it is deleted.
type sqsServer struct {
	mu     sync.Mutex
	bodies map[string]string // by receipt
	n      int
}

func (s *sqsServer) send(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.bodies[fmt.Sprint("r", s.n)] = body
}

func (s *sqsServer) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func (s *sqsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.ReceiveMessage":
		for range 20 {
			s.mu.Lock()
			var out []map[string]any
			for receipt, text := range s.bodies {
				out = append(out, map[string]any{"MessageId": receipt, "ReceiptHandle": receipt, "Body": text, "Attributes": map[string]string{"ApproximateReceiveCount": "1"}})
			}
			s.mu.Unlock()
			if len(out) > 0 || r.Context().Err() != nil {
				_ = json.NewEncoder(w).Encode(map[string]any{"Messages": out})
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "{}")
	case "AmazonSQS.DeleteMessageBatch":
		var in struct {
			Entries []struct{ ID, ReceiptHandle string }
		}
		_ = json.Unmarshal(body, &in)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range in.Entries {
			delete(s.bodies, e.ReceiptHandle)
		}
		_, _ = io.WriteString(w, `{"Successful":[],"Failed":[]}`)
	default: // DescribeAlarms and Auto Scaling: no right
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "\xa2\x66__type\x6cAccessDenied\x67message\x62no") // a map of two texts, in CBOR
	}
}

// From a message in a queue to the router, over a restart of the agent, and back.
func TestAlarmsOfAQueueReachTheRouter(t *testing.T) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	s := &sqsServer{bodies: map[string]string{}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	data := t.TempDir()
	start := func() (*Agent, func()) {
		cfg := parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: off\nstore: off\nroute: {mode: shadow}\naws: {region: eu-west-1, endpoint: '%s'}\nintake: {aws: {queue: '%s/123456789012/notices'}}\n",
			data, freePort(t, "tcp"), srv.URL, srv.URL)
		return run(t, cfg)
	}
	state := func(state, at string) string {
		return fmt.Sprintf(`{"detail-type":"CloudWatch Alarm State Change","resources":["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x"],"detail":{"alarmName":"x","state":{"value":%q,"timestamp":%q}}}`, state, at)
	}
	firing := func(a *Agent, want int) {
		t.Helper()
		for range 400 {
			if a.route.dispatch.View().Firing == want && s.left() == 0 {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("%d alarms fire, %d messages are left; want %d, 0: %+v", a.route.dispatch.View().Firing, s.left(), want, a.Status().Route.AWS)
	}
	a, end := start()
	s.send(state("ALARM", "2026-11-29T10:00:00.000+0000"))
	s.send(`{"detail-type":"Something New","detail":{}}`)
	firing(a, 1)
	var text strings.Builder
	a.Status().Write(&text)
	if !strings.Contains(text.String(), "NOT TAKEN (unknown): Something New") {
		t.Errorf("status says nothing of a form that nobody knows:\n%s", &text)
	}
	end()
	a, end = start()
	defer end()
	firing(a, 1) // remembered
	s.send(state("OK", "2026-11-29T10:01:00.000+0000"))
	firing(a, 0)
	for range 400 {
		if f := a.Status().Route.AWS.Fault; strings.Contains(f, "lacks the right cloudwatch:DescribeAlarms") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("status %+v; want the right that lacks", a.Status().Route.AWS)
}
