// Package awstest is a fake of AWS on a loopback port: CloudWatch's metrics and alarms in both of its protocols of today (RPC v2 CBOR
// and JSON 1.0), SQS in JSON and Auto Scaling in its query protocol, with the limits, error codes and pages of the services. It keeps what it
// was sent and answers from what a test lays out; it is no emulator, and computes no alarm.
package awstest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// AWS is the fake. Its fields may be set before it is asked.
type AWS struct {
	*httptest.Server
	Now func() time.Time // nil: the clock

	mu      sync.Mutex
	asked   []string
	next    []Fault
	denied  map[string]bool
	metrics []Metric
	alarms  map[string]*alarm
	mutes   map[string]*Mute
	queues  map[string]*queue
	groups  string
	objects map[string][]Object // by bucket
	pages   int
}

// Fault is an answer in place of the real one, once.
type Fault struct {
	Action string // CloudWatch's or SQS's operation; empty: any
	Status int
	Code   string // as in X-Amzn-Query-Error, whose code the SDK takes
	Body   string // with Status, as it is; for what stands between: a proxy's HTML
}

// New starts one; the test ends it with Close.
func New() *AWS {
	a := &AWS{denied: map[string]bool{}, alarms: map[string]*alarm{}, mutes: map[string]*Mute{}, queues: map[string]*queue{}, objects: map[string][]Object{}, pages: 500}
	a.Server = httptest.NewServer(a)
	return a
}

// Asked are the operations that came, in order.
func (a *AWS) Asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asked...)
}

// Count is how often an operation came.
func (a *AWS) Count(action string) (n int) {
	for _, got := range a.Asked() {
		if got == action {
			n++
		}
	}
	return n
}

// Fail answers the next questions with faults, each once.
func (a *AWS) Fail(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = append(a.next, faults...)
}

// Deny takes the right to an operation away, or gives it back.
func (a *AWS) Deny(action string, denied bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied[action] = denied
}

// Page sets how much one page of a list has, where it is less than the service's own.
func (a *AWS) Page(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages = n
}

// Time is the fake's own.
func (a *AWS) Time() time.Time { return a.now() }

func (a *AWS) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// failure is an error of a service.
type failure struct {
	status        int
	code, message string
}

// typeOf are the errors whose type has another name than the code of the query protocol, which the header still has, and the key of the
// message where it has a capital. Source: the SDK's recorded answers (testdata), read 30 November 2026.
var typeOf = map[string]string{
	"InternalServiceError": "InternalServiceFault", "LimitExceeded": "LimitExceededFault", "InvalidParameterValue": "InvalidParameterValueException",
	"MissingRequiredParameter": "MissingRequiredParameterException", "MissingParameter": "MissingRequiredParameterException", "InvalidParameterCombination": "InvalidParameterCombinationException",
}

// shape is the body of an error.
func (f *failure) shape() map[string]any {
	name := f.code
	if t := typeOf[name]; t != "" {
		name = t
	}
	key := "message"
	if name == "InternalServiceFault" || name == "ResourceNotFoundException" {
		key = "Message"
	}
	return map[string]any{"__type": "com.amazonaws.cloudwatch#" + name, key: f.message}
}

func invalid(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "InvalidParameterValue", fmt.Sprintf(format, args...)}
}

// maxBody is what a request may have at most.
const maxBody = 1 << 20

// ServeHTTP answers as the service does that is asked, which shows in the request's form.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case strings.HasPrefix(r.URL.Path, cloudWatchPath):
		a.cloudWatch(w, r, strings.TrimPrefix(r.URL.Path, cloudWatchPath), body, true)
	case strings.HasPrefix(target, "GraniteServiceVersion20100801."):
		_, action, _ := strings.Cut(target, ".")
		a.cloudWatch(w, r, action, body, false)
	case strings.HasPrefix(target, "AmazonSQS."):
		_, action, _ := strings.Cut(target, ".")
		a.sqs(w, r, action, body)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		a.query(w, body)
	case r.Method == http.MethodGet && (r.URL.Query().Get("list-type") == "2" || strings.Count(r.URL.Path, "/") > 1):
		a.s3(w, r)
	default:
		http.Error(w, "<UnknownOperationException/>", http.StatusNotFound)
	}
}

func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		in = z
	}
	return io.ReadAll(io.LimitReader(in, 2*maxBody))
}

// before notes a question, and says what stands in the way of its answer.
func (a *AWS) before(r *http.Request, action string) (*failure, *Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, action)
	for i, f := range a.next {
		if f.Action == "" || f.Action == action {
			a.next = append(a.next[:i:i], a.next[i+1:]...)
			if f.Body != "" {
				return nil, &f
			}
			return &failure{f.Status, f.Code, "as told"}, nil
		}
	}
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		return &failure{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}, nil
	case a.denied[action]:
		return &failure{http.StatusForbidden, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/watch/i-0 is not authorized to perform: " + action + " because no identity-based policy allows the action"}, nil
	}
	return nil, nil
}

func plain(w http.ResponseWriter, f *Fault) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}

const cloudWatchPath = "/service/GraniteServiceVersion20100801/operation/"

// operations are CloudWatch's that the fake knows.
var operations = map[string]func(*AWS, map[string]any) (map[string]any, *failure){
	"ListMetrics": (*AWS).listMetrics, "GetMetricData": (*AWS).getMetricData, "DescribeAlarms": (*AWS).describeAlarms,
	"DescribeAlarmContributors": (*AWS).describeContributors, "PutMetricAlarm": (*AWS).putMetricAlarm, "PutCompositeAlarm": (*AWS).putCompositeAlarm,
	"DeleteAlarms": (*AWS).deleteAlarms, "ListTagsForResource": (*AWS).listTags, "ListAlarmMuteRules": (*AWS).listMutes, "GetAlarmMuteRule": (*AWS).getMute,
	"PutAlarmMuteRule": (*AWS).putMute, "DeleteAlarmMuteRule": (*AWS).deleteMute,
}

func (a *AWS) cloudWatch(w http.ResponseWriter, r *http.Request, action string, body []byte, binary bool) {
	fail, fault := a.before(r, action)
	if fault != nil {
		plain(w, fault)
		return
	}
	var in map[string]any
	var err error
	if binary {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.Header().Set("Content-Type", "application/cbor")
		var v cbor.Value
		if v, err = cbor.Decode(body); err == nil {
			in, _ = plainOf(v).(map[string]any)
		}
	} else {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		err = json.Unmarshal(body, &in)
	}
	do := operations[action]
	switch {
	case fail != nil:
	case do == nil:
		fail = &failure{http.StatusNotFound, "UnknownOperationException", action}
	case err != nil || in == nil:
		fail = &failure{http.StatusBadRequest, "SerializationException", fmt.Sprint("not a structure ", err)}
	case len(body) > maxBody:
		fail = &failure{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Request size %d exceeded %d bytes", len(body), maxBody)}
	}
	var out map[string]any
	if fail == nil {
		a.mu.Lock()
		out, fail = do(a, in)
		a.mu.Unlock()
	}
	if fail != nil {
		kind := "Sender"
		if fail.status >= 500 {
			kind = "Receiver"
		}
		w.Header().Set("X-Amzn-Query-Error", fail.code+";"+kind)
		w.WriteHeader(fail.status)
		out = fail.shape()
	}
	if out == nil {
		w.Header().Del("Content-Type")
		return
	}
	if binary {
		_, _ = w.Write(cbor.Encode(cborOf(out)))
		return
	}
	_ = json.NewEncoder(w).Encode(jsonOf(out))
}

// plainOf turns CBOR into what JSON would give: maps, lists, texts, numbers; times are numbers of seconds.
func plainOf(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, e := range v {
			out[k] = plainOf(e)
		}
		return out
	case cbor.List:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, plainOf(e))
		}
		return out
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case *cbor.Tag:
		return plainOf(v.Value)
	case nil, *cbor.Nil, *cbor.Undefined:
		return nil
	}
	if f, err := cbor.AsFloat64(v); err == nil {
		return f
	}
	return nil
}

// cborOf is the other way: numbers are doubles, times are tagged.
func cborOf(v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		out := cbor.Map{}
		for k, e := range v {
			if e != nil {
				out[k] = cborOf(e)
			}
		}
		return out
	case []any:
		out := make(cbor.List, 0, len(v))
		for _, e := range v {
			out = append(out, cborOf(e))
		}
		return out
	case string:
		return cbor.String(v)
	case bool:
		return cbor.Bool(v)
	case int:
		if v >= 0 {
			return cbor.Uint(v)
		}
		return cbor.NegInt(-v)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(seconds(v))}
	case float64:
		return cbor.Float64(v)
	}
	return &cbor.Nil{}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func jsonOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = jsonOf(e)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, jsonOf(e))
		}
		return out
	case time.Time:
		return seconds(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	}
	return v
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func number(m map[string]any, key string) float64 {
	f, _ := m[key].(float64)
	return f
}

func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}

func maps(m map[string]any, key string) (out []map[string]any) {
	for _, e := range list(m, key) {
		one, _ := e.(map[string]any)
		out = append(out, one)
	}
	return out
}

// page is the part of n things from a token on, and the token of the next: one that AWS did not give is refused.
func (a *AWS) page(in map[string]any, n, most int) (from, to int, next any, fail *failure) {
	if token := text(in, "NextToken"); token != "" {
		if _, err := fmt.Sscanf(token, "token-%d", &from); err != nil || from <= 0 || from >= n {
			return 0, 0, nil, &failure{http.StatusBadRequest, "InvalidNextToken", "The next token " + token + " is invalid"}
		}
	}
	to = min(from+min(a.pages, most), n)
	if to < n {
		next = fmt.Sprintf("token-%d", to)
	}
	return from, to, next, nil
}
