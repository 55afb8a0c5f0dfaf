package store

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	deltatocumulative "github.com/open-telemetry/opentelemetry-collector-contrib/processor/deltatocumulativeprocessor"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"github.com/prometheus/prometheus/tsdb"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/metric/noop"
)

const (
	otlpPath    = "/api/v1/otlp/v1/metrics"
	maxAhead    = 10 * time.Minute // of a sample's time; the library's receivers take as much
	maxDeltas   = 100_000          // series whose changes are added up
	otlpJSON    = "application/json"
	otlpWire    = "application/x-protobuf"
	notTaken    = "not_convertible" // why a point is refused: it has no Prometheus form, or too many series send changes
	fewestWords = "%d of %d data points refused, the first: %v"
)

// otlp receives metrics of OpenTelemetry. The library's own receiver answers 500 and loses the whole request for one point that
// it cannot convert or that comes too late; here the others are kept, and the answer says how many were not and why.
// Source: opentelemetry.io/docs/specs/otlp, "Partial Success"; storage/remote of Prometheus v0.316; read 30 November 2026.
type otlp struct {
	store *Store
	sums  consumer.Metrics // makes totals of changes, in place
	how   prometheusremotewrite.Settings
}

func newOTLP(s *Store) otlp {
	after, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { return nil })
	if err != nil {
		panic(err) // it wants a function, which it has
	}
	made := deltatocumulative.NewFactory()
	cfg := made.CreateDefaultConfig().(*deltatocumulative.Config)
	cfg.MaxStreams = maxDeltas
	set := processor.Settings{ID: component.NewID(made.Type()), TelemetrySettings: component.TelemetrySettings{MeterProvider: noop.NewMeterProvider()}}
	sums, err := made.CreateMetrics(context.Background(), set, cfg, after)
	if err == nil {
		err = sums.Start(context.Background(), nil)
	}
	if err != nil {
		panic(err) // it errs for a configuration that is not its own, and for figures that cannot be registered: here go to nobody
	}
	o := config.DefaultConfig.OTLPConfig
	return otlp{s, sums, prometheusremotewrite.Settings{
		AddMetricSuffixes:                    o.TranslationStrategy.ShouldAddSuffixes(),
		AllowUTF8:                            !o.TranslationStrategy.ShouldEscape(),
		PromoteResourceAttributes:            prometheusremotewrite.NewPromoteResourceAttributes(o),
		LabelNameUnderscoreSanitization:      o.LabelNameUnderscoreSanitization,
		LabelNamePreserveMultipleUnderscores: o.LabelNamePreserveMultipleUnderscores,
	}}
}

// ServeHTTP implements http.Handler. Errors of the sender are 400; while nothing can be written it is 503, after which senders try again.
func (o otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil {
		r.Header.Set("Content-Type", media) // the decoder knows no parameters
	}
	req, err := remote.DecodeOTLPWriteRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	all := req.Metrics().DataPointCount()
	t, err := o.take(r.Context(), req.Metrics())
	switch {
	case err != nil:
		o.store.opts.Requests.Warn("metrics of OpenTelemetry not written", "err", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case t.why != nil && t.kept == 0:
		http.Error(w, fmt.Sprintf(fewestWords, t.points, all, t.why), http.StatusBadRequest)
		return
	}
	answer := pmetricotlp.NewExportResponse()
	if t.why != nil {
		answer.PartialSuccess().SetRejectedDataPoints(int64(t.points))
		answer.PartialSuccess().SetErrorMessage(fmt.Sprintf(fewestWords, t.points, all, t.why))
	}
	encode := answer.MarshalProto
	if media == otlpJSON {
		encode = answer.MarshalJSON
	} else {
		media = otlpWire
	}
	body, err := encode()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(body)
}

// refusal is what of a request was refused.
type refusal struct {
	points int   // of OpenTelemetry, of which one can be many samples
	kept   int   // samples
	why    error // the first was; nil: all were taken
}

func (t *refusal) add(points int, why error) {
	t.points += points
	if t.why == nil {
		t.why = why
	}
}

var errDeltas = fmt.Errorf("its changes cannot be added up: they are out of order, without a time, or of more than %d series", maxDeltas)

// take writes md. The error is for what concerns all of it, such as a full disk: nothing is written then.
func (o otlp) take(ctx context.Context, md pmetric.Metrics) (refusal, error) {
	sent := md.DataPointCount()
	if err := guard(func() error { return o.sums.ConsumeMetrics(ctx, md) }); err != nil {
		return refusal{}, err
	}
	var t refusal
	if lost := sent - md.DataPointCount(); lost > 0 {
		t.add(lost, errDeltas)
		o.store.refuse(notTaken, lost)
	}
	app := &siftingAppender{AppenderV2: o.store.disk.AppenderV2(ctx), latest: o.store.opts.Now().Add(maxAhead).UnixMilli()}
	err := o.convert(ctx, app, md)
	if err != nil && app.broken == nil && ctx.Err() == nil {
		// Some of it has no Prometheus form. Which, is known one by one.
		if err := app.Rollback(); err != nil {
			return refusal{}, err
		}
		*app = siftingAppender{AppenderV2: o.store.disk.AppenderV2(ctx), latest: app.latest}
		err = nil
		singly(md, func(one pmetric.Metrics) {
			if cerr := o.convert(ctx, app, one); cerr != nil && app.broken == nil {
				t.add(max(one.DataPointCount(), 1), cerr)
				o.store.refuse(notTaken, 1)
			}
		})
	}
	if err = errors.Join(app.broken, ctx.Err()); err != nil {
		return refusal{}, errors.Join(err, app.Rollback())
	}
	for _, why := range app.refused {
		t.add(1, why)
		o.store.mu.Lock()
		o.store.count(why)
		o.store.mu.Unlock()
	}
	t.kept = app.kept
	return t, app.Commit()
}

func (o otlp) convert(ctx context.Context, app *siftingAppender, md pmetric.Metrics) error {
	return guard(func() error {
		_, err := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(ctx, md, o.how)
		return err
	})
}

// refuse counts n samples that were refused.
func (s *Store) refuse(reason string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[reason] += float64(n)
}

// siftingAppender takes every sample that the database takes, and keeps why it did not take others.
type siftingAppender struct {
	storage.AppenderV2
	latest  int64 // time of a sample, in ms
	kept    int
	refused []error
	broken  error // nothing can be written
}

// Append implements storage.AppenderV2.
func (a *siftingAppender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	if a.broken != nil {
		return 0, a.broken
	}
	err := error(storage.ErrOutOfBounds)
	if t <= a.latest {
		ref, err = a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	}
	var partial *storage.AppendPartialError // an exemplar was refused; the sample was not
	switch {
	case err == nil || errors.As(err, &partial):
		a.kept++
	case ofSample(err):
		a.refused = append(a.refused, fmt.Errorf("%s: %w", ls, err))
	default:
		a.broken = err
		return 0, err
	}
	return ref, nil
}

// ofSample says that err is a sample's own fault.
func ofSample(err error) bool {
	var form histogram.Error
	for _, e := range []error{storage.ErrOutOfOrderSample, storage.ErrTooOldSample, storage.ErrOutOfBounds, storage.ErrDuplicateSampleForTimestamp, tsdb.ErrInvalidSample, errSpareFull} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &form)
}
