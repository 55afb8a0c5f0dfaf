package aws

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// agesEvery is how often a prefix is listed.
const agesEvery = 10 * time.Minute

// backup is what is known of a prefix.
type backup struct {
	asked, read time.Time
	is          aws.Objects
}

// ages lists the prefixes that are due.
func (c *reader) ages(ctx context.Context, ask Asker, now time.Time) error {
	if len(c.opts.S3Age) == 0 {
		return nil
	}
	var errs []error
	pages, due := 0, false
	for _, p := range c.opts.S3Age {
		b := c.backups[p]
		if now.Sub(b.asked) >= agesEvery-time.Second {
			due, b.asked = true, now
			is, err := ask.Newest(ctx, p.Bucket, p.Prefix)
			if err != nil {
				errs = append(errs, collectors.Part("s3 "+p.Bucket+"/"+p.Prefix, err))
			} else {
				b.read, b.is = now, is
			}
			c.backups[p] = b
		}
		pages += max(b.is.Pages, 1)
	}
	if !due {
		return nil
	}
	ask.Reserve("s3", aws.AMonth(aws.PriceObjects, pages, agesEvery))
	err := errors.Join(errs...)
	c.check("s3", agesEvery, now, err)
	return err
}

// tellAges adds how old the newest objects are now. What was read too long ago is not known any more.
func (c *reader) tellAges(b *metric.Batch) {
	for _, p := range c.opts.S3Age {
		is := c.backups[p]
		if is.read.IsZero() || b.Time.Sub(is.read) > 3*agesEvery {
			continue
		}
		kv := []string{"bucket", p.Bucket, "prefix", p.Prefix}
		b.Add(s3Objects, float64(is.is.N), kv...)
		b.Add(s3Limit, p.limit().Seconds(), kv...)
		if !is.is.Newest.IsZero() {
			b.Add(s3Age, max(b.Time.Sub(is.is.Newest), 0).Seconds(), kv...)
		}
	}
}
