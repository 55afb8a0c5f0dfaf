package sinkstest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Limits of PutMetricData that the fake enforces.
// Source: CloudWatch API Reference, PutMetricData and MetricDatum, read November 2026.
const (
	cwBody       = 1_000_000 // bytes, before gzip
	cwDatums     = 1000
	cwValues     = 150
	cwDimensions = 30
	cwPast       = 14 * 24 * time.Hour
	cwAhead      = 2 * time.Hour
)

const cwPath = "/service/GraniteServiceVersion20100801/operation/PutMetricData"

// Datum is one MetricDatum that the fake took.
type Datum struct {
	Namespace, Name, Unit string
	Dimensions            map[string]string
	Time                  time.Time
	Value                 float64 // where Stats is nil and there are no Values
	Stats                 *Stats
	Values, Counts        []float64
	Resolution            int // seconds
}

// Stats is a StatisticSet.
type Stats struct{ Count, Sum, Min, Max float64 }

// CloudWatch is a fake of CloudWatch's PutMetricData in the protocol of today, RPC v2 CBOR.
type CloudWatch struct {
	Server
	datums []Datum
	sizes  []int          // datums of each request that was taken
	series map[string]int // billed, by name and dimensions
}

// NewCloudWatch makes one.
func NewCloudWatch() *CloudWatch {
	c := &CloudWatch{series: map[string]int{}}
	c.handler = c
	return c
}

// Datums returns all that was taken, in order. The fake keeps the last 100,000.
func (c *CloudWatch) Datums() []Datum {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Datum(nil), c.datums...)
}

// Batches returns the number of datums in each request that was taken.
func (c *CloudWatch) Batches() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int(nil), c.sizes...)
}

// Series returns how many series would be billed.
func (c *CloudWatch) Series() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.series)
}

// ServeHTTP answers as CloudWatch does.
func (c *CloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, 2*cwBody)
	a := c.next()
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	if a.Code != "" {
		cwError(w, a.Status, a.Code, "as told")
		return
	}
	if a.play(w, r) {
		return
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != cwPath || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor":
		cwError(w, http.StatusNotFound, "UnknownOperationException", r.Method+" "+r.URL.Path)
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		cwError(w, http.StatusForbidden, "MissingAuthenticationToken", "the request is not signed")
		return
	case err != nil:
		cwError(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	case len(body) > cwBody:
		cwError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Request size %d exceeded %d bytes", len(body), cwBody))
		return
	}
	datums, err := parsePut(body)
	if err != nil {
		cwError(w, http.StatusBadRequest, "InvalidParameterValue", err.Error())
		return
	}
	c.mu.Lock()
	c.datums = append(c.datums, datums...)
	if over := len(c.datums) - 100_000; over > 0 {
		c.datums = c.datums[over:]
	}
	c.sizes = append(c.sizes, len(datums))
	for _, d := range datums {
		c.series[fmt.Sprint(d.Namespace, d.Name, d.Dimensions)]++
	}
	c.mu.Unlock()
	_, _ = w.Write(cbor.Encode(cbor.Map{}))
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		in = z
	}
	return io.ReadAll(io.LimitReader(in, limit))
}

func cwError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Query-Error", code+";Sender")
	w.WriteHeader(status)
	_, _ = w.Write(cbor.Encode(cbor.Map{
		"__type": cbor.String("com.amazonaws.cloudwatch#" + code), "message": cbor.String(message),
	}))
}

// parsePut decodes a request and checks it as a whole, for one bad datum refuses all.
func parsePut(body []byte) ([]Datum, error) {
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	m, _ := v.(cbor.Map)
	namespace, _ := m["Namespace"].(cbor.String)
	list, _ := m["MetricData"].(cbor.List)
	switch {
	case namespace == "" || len(namespace) > 255 || strings.Contains(string(namespace), ":"):
		return nil, fmt.Errorf("the value %q for parameter Namespace is invalid", namespace)
	case strings.HasPrefix(string(namespace), "AWS/"):
		return nil, errors.New("the value AWS/ for parameter Namespace is invalid")
	case len(list) == 0:
		return nil, errors.New("the parameter MetricData is required")
	case len(list) > cwDatums:
		return nil, fmt.Errorf("the collection MetricData must not have a size greater than %d", cwDatums)
	}
	out := make([]Datum, len(list))
	for i, v := range list {
		d, err := parseDatum(v)
		if err != nil {
			return nil, fmt.Errorf("datum %d of MetricData: %w", i+1, err)
		}
		d.Namespace = string(namespace)
		out[i] = d
	}
	return out, nil
}

func parseDatum(v cbor.Value) (d Datum, err error) {
	m, ok := v.(cbor.Map)
	if !ok {
		return d, errors.New("not a structure")
	}
	f := &fields{m: m}
	d.Name, d.Unit = f.text("MetricName"), f.text("Unit")
	d.Value, d.Values, d.Counts = f.number("Value"), f.numbers("Values"), f.numbers("Counts")
	d.Resolution = 60
	if m["StorageResolution"] != nil {
		d.Resolution = int(f.number("StorageResolution"))
	}
	if sm, ok := m["StatisticValues"].(cbor.Map); ok {
		s := &fields{m: sm}
		d.Stats = &Stats{s.number("SampleCount"), s.number("Sum"), s.number("Minimum"), s.number("Maximum")}
		f.err = errors.Join(f.err, s.err)
	}
	d.Dimensions = f.dimensions()
	if d.Time, err = cbor.AsTime(m["Timestamp"]); err != nil {
		return d, fmt.Errorf("the parameter Timestamp: %w", err)
	}
	if f.err != nil {
		return d, f.err
	}
	return d, d.check(m["Value"] != nil, time.Now())
}

// check enforces the service's rules for one datum.
func (d Datum) check(single bool, now time.Time) error {
	switch {
	case d.Name == "" || len(d.Name) > 255:
		return fmt.Errorf("the parameter MetricName: %q is invalid", d.Name)
	case len(d.Values) > cwValues:
		return fmt.Errorf("the parameter Values must not have a size greater than %d", cwValues)
	case len(d.Counts) != 0 && len(d.Counts) != len(d.Values):
		return errors.New("the parameters Values and Counts must be of the same size")
	case single && (d.Stats != nil || len(d.Values) > 0):
		return errors.New("the parameters Value and StatisticValues or Values are mutually exclusive")
	case !single && d.Stats == nil && len(d.Values) == 0:
		return errors.New("at least one of the parameters must be specified: Value, Values, StatisticValues")
	case d.Resolution != 1 && d.Resolution != 60:
		return fmt.Errorf("the parameter StorageResolution: %d is invalid", d.Resolution)
	case d.Time.Before(now.Add(-cwPast)) || d.Time.After(now.Add(cwAhead)):
		return fmt.Errorf("the parameter Timestamp: %v is out of bounds", d.Time)
	case len(d.Dimensions) > cwDimensions:
		return fmt.Errorf("the parameter Dimensions must not have a size greater than %d", cwDimensions)
	case d.Stats != nil && (d.Stats.Count <= 0 || d.Stats.Min > d.Stats.Max):
		return errors.New("the parameter StatisticValues: Minimum must be less than or equal to Maximum, and SampleCount above 0")
	}
	return nil
}

// fields reads a map and keeps the first fault.
type fields struct {
	m   cbor.Map
	err error
}

func (f *fields) text(key string) string {
	s, _ := f.m[key].(cbor.String)
	return string(s)
}

func (f *fields) number(key string) float64 {
	if f.m[key] == nil {
		return 0
	}
	return f.value(key, f.m[key])
}

func (f *fields) value(key string, v cbor.Value) float64 {
	x, err := cbor.AsFloat64(v)
	if err == nil && (math.IsNaN(x) || math.Abs(x) > math.Exp2(360)) {
		err = fmt.Errorf("the value %v is invalid", x)
	}
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: %w", key, err)
	}
	return x
}

func (f *fields) numbers(key string) (out []float64) {
	list, _ := f.m[key].(cbor.List)
	for _, v := range list {
		out = append(out, f.value(key, v))
	}
	return out
}

func (f *fields) dimensions() map[string]string {
	list, _ := f.m["Dimensions"].(cbor.List)
	out := map[string]string{}
	for _, v := range list {
		m, _ := v.(cbor.Map)
		name, _ := m["Name"].(cbor.String)
		value, _ := m["Value"].(cbor.String)
		if _, twice := out[string(name)]; twice || name == "" || strings.TrimSpace(string(value)) == "" ||
			len(name) > 255 || len(value) > 1024 || name[0] == ':' {
			f.err = errors.Join(f.err, fmt.Errorf("the parameter Dimensions: %q=%q is invalid", name, value))
		}
		out[string(name)] = string(value)
	}
	return out
}
