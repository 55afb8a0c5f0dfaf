package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Bounds of reading metrics. Source: CloudWatch API Reference, GetMetricData and ListMetrics, read 30 November 2026.
const (
	maxQueries   = 500
	maxListed    = 20_000
	figuresPages = 20 // of one call
	figuresLimit = 45 * time.Second
)

// Query asks for one metric of CloudWatch.
type Query struct {
	Metric Metric
	Stat   string // Sum, Average, Maximum, p99 ...
	Period time.Duration
}

// Point is a value of a period, by the time at which that began.
type Point struct {
	At    time.Time
	Value float64
}

// Answer is what CloudWatch has for a Query: its points, the newest first. None is an answer as well: nothing was reported. Err
// says that it could not be had, or not all of it, and Points are what came.
type Answer struct {
	Points []Point
	Err    error
}

// ErrPartial says that CloudWatch has more points than came.
var ErrPartial = errors.New("not all points came")

// Listed are the dimensions of all metrics of a name that reported in the last three hours.
func (a *Account) Listed(ctx context.Context, namespace, name string) ([][]Dimension, error) {
	ctx, cancel := context.WithTimeout(ctx, alarmsLimit)
	defer cancel()
	in := &cw.ListMetricsInput{Namespace: &namespace, MetricName: &name, RecentlyActive: types.RecentlyActivePt3h}
	var out [][]Dimension
	err := a.paged(ctx, func() bool { return len(out) < maxListed }, func(token *string) (next *string, err error) {
		in.NextToken = token
		page, err := a.alarms.ListMetrics(ctx, in)
		if err != nil {
			return nil, wrap("cloudwatch:ListMetrics", err)
		}
		for _, m := range page.Metrics {
			out = append(out, dimensions(m.Dimensions))
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Figures asks for metrics from one time to before another. There is an answer for each query, in their order; the error is that of
// a whole call, and the answers of the calls before it hold.
func (a *Account) Figures(ctx context.Context, qs []Query, from, to time.Time) ([]Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, figuresLimit)
	defer cancel()
	out := make([]Answer, len(qs))
	for i := range out {
		out[i].Err = errors.New("not asked")
	}
	for first := 0; first < len(qs); first += maxQueries {
		last := min(first+maxQueries, len(qs))
		if err := a.figures(ctx, qs[first:last], out[first:last], from, to); err != nil {
			return out, err
		}
	}
	return out, nil
}

// figures is one call with its pages.
func (a *Account) figures(ctx context.Context, qs []Query, out []Answer, from, to time.Time) error {
	in := &cw.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampDescending}
	for i, q := range qs {
		in.MetricDataQueries = append(in.MetricDataQueries, q.aws(i))
	}
	for range figuresPages {
		// A page more is priced as the call itself: whether AWS does so is not said.
		if err := a.spent.may(priceFigures, len(qs), false); err != nil {
			return err
		}
		page, err := a.alarms.GetMetricData(ctx, in)
		if err != nil {
			return wrap("cloudwatch:GetMetricData", err)
		}
		for _, r := range page.MetricDataResults {
			i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(r.Id), "q"))
			if err != nil || i < 0 || i >= len(out) {
				return fmt.Errorf("cloudwatch:GetMetricData: an answer to %q, which was not asked", aws.ToString(r.Id))
			}
			out[i].add(r)
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Points, func(a, b Point) int { return b.At.Compare(a.At) })
	}
	return nil
}

func (q Query) aws(i int) types.MetricDataQuery {
	stat := &types.MetricStat{
		Metric: &types.Metric{Namespace: &q.Metric.Namespace, MetricName: &q.Metric.Name}, Stat: &q.Stat, Period: aws.Int32(int32(q.Period / time.Second)),
	}
	for _, d := range q.Metric.Dimensions {
		stat.Metric.Dimensions = append(stat.Metric.Dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
	}
	return types.MetricDataQuery{Id: aws.String("q" + strconv.Itoa(i)), MetricStat: stat, ReturnData: aws.Bool(true)}
}

// add takes a part of an answer: the last page says how it ended.
func (w *Answer) add(r types.MetricDataResult) {
	for i := range min(len(r.Timestamps), len(r.Values)) {
		w.Points = append(w.Points, Point{r.Timestamps[i], r.Values[i]})
	}
	switch r.StatusCode {
	case types.StatusCodeComplete:
		w.Err = nil
	case types.StatusCodePartialData:
		w.Err = ErrPartial
	default:
		text := string(r.StatusCode)
		for _, m := range r.Messages {
			text += ", " + aws.ToString(m.Code) + ": " + aws.ToString(m.Value)
		}
		w.Err = fmt.Errorf("cloudwatch:GetMetricData: %s", text)
	}
}
