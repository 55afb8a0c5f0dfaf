package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Access logs of balancers, which S3 holds: every five minutes each of a balancer's nodes writes a file. Each is read once, also over
// restarts: how far they were read is kept together with what was counted.

const (
	logsStored  = "elb_logs"
	logsEvery   = 5 * time.Minute
	foldersWait = time.Hour        // between two looks for accounts and regions
	logsLate    = 3 * time.Hour    // after midnight the day before is listed, too: delivery is late at times
	logsDays    = 3                // that are made good after an outage
	logsSettle  = 10 * time.Minute // before the first start: what was written earlier is history
	maxFolders  = 20
	logsPages   = 20 // of a day, of 1,000 files
	logsARound  = 200
	logsTime    = 25 * time.Second // of a collection
	logsTries   = 5                // at one file
	maxLogCodes = 2000             // series; the rest is counted as others
)

// LogSource is where balancers write their access logs.
type LogSource struct {
	Bucket string `yaml:"bucket"`
	Prefix string `yaml:"prefix"` // before AWSLogs
}

// logs is what is known of all sources.
type logs struct {
	asked   time.Time
	recall  bool
	kept    logsKept
	sources map[LogSource]*logSource
}

// logsKept is what outlives a restart: which files were read, and what was counted in them.
type logsKept struct {
	Since   time.Time           `json:"since"` // the first start
	Read    map[string][]uint64 `json:"read"`  // by day, hashes of files' names
	Counts  []logCount          `json:"counts"`
	Files   float64             `json:"files"`
	Failed  float64             `json:"failed"`
	Skipped float64             `json:"skipped"` // lines that are none
}

// logCount is how many requests of a balancer were answered with a code, and why.
type logCount struct {
	Balancer string  `json:"balancer"`
	Code     string  `json:"code"`
	Reason   string  `json:"reason"`
	N        float64 `json:"n"`
}

// logSource is one bucket, and what waits in it.
type logSource struct {
	found   time.Time
	folders []string // AWSLogs/ACCOUNT/elasticloadbalancing/REGION/
	pending []aws.Object
	tries   map[string]int
}

// readLogs lists what is new, and reads as much of it as there is time for; the rest is read a minute later.
func (c *reader) readLogs(ctx context.Context, ask Asker, now time.Time) error {
	if len(c.opts.ELBLogs) == 0 {
		return nil
	}
	l := &c.logs
	if !l.recall {
		l.recall = true
		if !c.env.Recall(logsStored, "access logs of balancers", &l.kept) || l.kept.Read == nil {
			l.kept = logsKept{Since: now, Read: map[string][]uint64{}}
		}
		l.sources = map[LogSource]*logSource{}
		for _, s := range c.opts.ELBLogs {
			l.sources[s] = &logSource{tries: map[string]int{}}
		}
	}
	var errs []error
	every := c.logsEvery(ask)
	due := now.Sub(l.asked) >= every-time.Second
	if due {
		l.asked = now
		pages := 0
		for _, s := range c.opts.ELBLogs {
			n, err := c.listLogs(ctx, ask, s, now)
			pages += n
			errs = append(errs, collectors.Part("access logs in "+s.Bucket, err))
		}
		ask.Reserve("elb_logs", aws.AMonth(aws.PriceObjects, pages, every))
	}
	until := time.Now().Add(logsTime)
	read := false
	for _, s := range c.opts.ELBLogs {
		n, err := c.takeLogs(ctx, ask, s, until)
		read = read || n > 0
		errs = append(errs, collectors.Part("access logs in "+s.Bucket, err))
	}
	if read {
		l.forget(now)
		c.env.Keep(logsStored, "access logs of balancers", &l.kept)
	}
	err := errors.Join(errs...)
	if due || err != nil {
		c.check("elb_logs", every, now, err)
	}
	return err
}

// logsEvery is how often is listed: rarer, where little of the budget is left.
func (c *reader) logsEvery(ask Asker) time.Duration {
	if ask.Room() < aws.AMonth(aws.PriceObjects, 10*len(c.opts.ELBLogs), logsEvery) {
		return leastOft
	}
	return logsEvery
}

// listLogs finds the files that were not read yet.
func (c *reader) listLogs(ctx context.Context, ask Asker, s LogSource, now time.Time) (pages int, err error) {
	is := c.logs.sources[s]
	if now.Sub(is.found) >= foldersWait {
		folders, n, err := folders(ctx, ask, s)
		if pages += n; err != nil {
			return pages, err
		}
		is.folders, is.found = folders, now
	}
	is.pending = is.pending[:0]
	for _, folder := range is.folders {
		for _, day := range c.logs.days(now) {
			n, err := c.listDay(ctx, ask, s, folder, day)
			if pages += n; err != nil {
				return pages, err
			}
		}
	}
	slices.SortFunc(is.pending, func(a, b aws.Object) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return pages, nil
}

func (c *reader) listDay(ctx context.Context, ask Asker, s LogSource, folder, day string) (pages int, err error) {
	is, after := c.logs.sources[s], ""
	for more := true; more; {
		if pages == logsPages {
			return pages, fmt.Errorf("%s%s: more than %d files of one day are not read", folder, day, logsPages*1000)
		}
		var list []aws.Object
		if list, more, err = ask.List(ctx, s.Bucket, folder+day+"/", after, false); err != nil {
			return pages, err
		}
		pages++
		for _, o := range list {
			after = o.Key
			if _, ok := balancerOf(o.Key); ok && o.Size > 0 && !c.logs.was(day, o.Key) && !o.At.Before(c.logs.kept.Since.Add(-logsSettle)) {
				is.pending = append(is.pending, o)
			}
		}
	}
	return pages, nil
}

// folders are those of accounts and regions below a prefix.
func folders(ctx context.Context, ask Asker, s LogSource) (out []string, pages int, err error) {
	below := []string{path.Join(s.Prefix, "AWSLogs") + "/"}
	for depth := range 2 {
		var next []string
		for _, p := range below {
			list, _, err := ask.List(ctx, s.Bucket, p, "", true)
			if err != nil {
				return nil, pages, err
			}
			pages++
			for _, o := range list {
				if !strings.HasSuffix(o.Key, "/") || len(next) >= maxFolders {
					continue
				}
				if depth == 0 {
					o.Key += "elasticloadbalancing/"
				}
				next = append(next, o.Key)
			}
		}
		below = next
	}
	if len(below) == 0 {
		return nil, pages, fmt.Errorf("no access logs stand under %s: want prefix without AWSLogs, and logging switched on at the balancer", path.Join(s.Bucket, s.Prefix, "AWSLogs"))
	}
	return below, pages, nil
}

// days are those that are listed now, as folders: today, yesterday for a while, and what an outage left.
func (l *logs) days(now time.Time) (out []string) {
	last := ""
	for day := range l.kept.Read {
		last = max(last, day)
	}
	for n := logsDays - 1; n >= 0; n-- {
		day := now.UTC().AddDate(0, 0, -n).Format("2006/01/02")
		yesterday := now.UTC().Add(-logsLate).Format("2006/01/02")
		if n == 0 || day >= yesterday || last != "" && day >= last {
			out = append(out, day)
		}
	}
	return out
}

// forget drops the days that are listed no more.
func (l *logs) forget(now time.Time) {
	oldest := now.UTC().AddDate(0, 0, -logsDays).Format("2006/01/02")
	for day := range l.kept.Read {
		if day < oldest {
			delete(l.kept.Read, day)
		}
	}
}

func hashOf(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return h.Sum64()
}

// was says that a file was read.
func (l *logs) was(day, key string) bool {
	_, found := slices.BinarySearch(l.kept.Read[day], hashOf(key))
	return found
}

// done notes that a file was read.
func (l *logs) done(key string) {
	day := dayOf(key)
	h := hashOf(key)
	if at, found := slices.BinarySearch(l.kept.Read[day], h); !found {
		l.kept.Read[day] = slices.Insert(l.kept.Read[day], at, h)
	}
}

// dayOf is the day that a file's folder is of.
func dayOf(key string) string {
	dir := path.Dir(key)
	return dir[max(0, len(dir)-len("2006/01/02")):]
}

// takeLogs reads what waits, in order of time.
func (c *reader) takeLogs(ctx context.Context, ask Asker, s LogSource, until time.Time) (n int, err error) {
	is := c.logs.sources[s]
	for len(is.pending) > 0 && n < logsARound && time.Now().Before(until) && ctx.Err() == nil {
		o := is.pending[0]
		err := c.takeLog(ctx, ask, s.Bucket, o.Key)
		switch {
		case errors.Is(err, aws.ErrBudget):
			return n, fmt.Errorf("%d files wait: %w", len(is.pending), err)
		case err == nil:
			c.logs.kept.Files++
		default:
			if is.tries[o.Key]++; is.tries[o.Key] < logsTries && !aws.Gone(err) {
				return n, fmt.Errorf("%s: %w", path.Base(o.Key), err)
			}
			c.logs.kept.Failed++
		}
		n++
		delete(is.tries, o.Key)
		c.logs.done(o.Key)
		is.pending = is.pending[1:]
	}
	return n, nil
}

// takeLog reads one file. What is counted of it counts as a whole or not at all.
func (c *reader) takeLog(ctx context.Context, ask Asker, bucket, key string) error {
	body, err := ask.Object(ctx, bucket, key)
	if err != nil {
		return err
	}
	defer body.Close()
	balancer, _ := balancerOf(key)
	counts, bad, err := countLog(body, balancer, strings.HasSuffix(key, ".gz"), c.env)
	if err != nil {
		return err
	}
	c.logs.add(counts)
	c.logs.kept.Skipped += float64(bad)
	return nil
}

// add adds what was counted. Beyond the bound of series it is counted under others.
func (l *logs) add(counts map[logCount]float64) {
	for of, n := range counts {
		same := func(k logCount) func(logCount) bool {
			return func(x logCount) bool { return x.Balancer == k.Balancer && x.Code == k.Code && x.Reason == k.Reason }
		}
		at := slices.IndexFunc(l.kept.Counts, same(of))
		if at < 0 && len(l.kept.Counts) >= maxLogCodes {
			of = logCount{Balancer: "others", Code: "others", Reason: "others"}
			at = slices.IndexFunc(l.kept.Counts, same(of))
		}
		if at < 0 {
			at, l.kept.Counts = len(l.kept.Counts), append(l.kept.Counts, of)
		}
		l.kept.Counts[at].N += n
	}
}

// tellLogs adds what was counted so far.
func (c *reader) tellLogs(b *metric.Batch) {
	if len(c.opts.ELBLogs) == 0 || c.logs.asked.IsZero() {
		return
	}
	for _, k := range c.logs.kept.Counts {
		b.Add(logRequests, k.N, "balancer", k.Balancer, "code", k.Code, "reason", k.Reason)
	}
	b.Add(logFiles, c.logs.kept.Files, "result", "read")
	b.Add(logFiles, c.logs.kept.Failed, "result", "failed")
	b.Add(logSkipped, c.logs.kept.Skipped)
	waits, oldest := 0, b.Time
	for _, s := range c.logs.sources {
		if waits += len(s.pending); len(s.pending) > 0 && s.pending[0].At.Before(oldest) {
			oldest = s.pending[0].At
		}
	}
	b.Add(logWaiting, float64(waits))
	b.Add(logBehind, b.Time.Sub(oldest).Seconds())
}
