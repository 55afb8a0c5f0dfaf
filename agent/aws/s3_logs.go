package aws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// PriceGet is the price of reading an object, in dollars (us-east-1, S3 Standard's GET requests, as commonly quoted; not verified).
const PriceGet = 0.0004 / 1000

// Object is one of a bucket.
type Object struct {
	Key  string
	At   time.Time // when it was written
	Size int64
}

// List is a page of what stands under a prefix, in the order of keys, after one key. With folders only the parts up to the next
// slash are listed, as Keys ending in one. more says that there is another page.
func (a *Account) List(ctx context.Context, bucket, prefix, after string, folders bool) (found []Object, more bool, err error) {
	if err := a.spent.may(PriceObjects, 1, false); err != nil {
		return nil, false, err
	}
	q := listing{prefix: prefix, after: after, folders: folders}
	page, elsewhere, err := a.objects.page(ctx, a.regionOf(bucket), bucket, q)
	if elsewhere != "" && elsewhere != a.regionOf(bucket) {
		a.regions.Store(bucket, elsewhere)
		page, _, err = a.objects.page(ctx, elsewhere, bucket, q)
	}
	if err != nil {
		return nil, false, err
	}
	for _, o := range page.Contents {
		found = append(found, Object{Key: o.Key, At: o.LastModified, Size: o.Size})
	}
	for _, p := range page.Folders {
		found = append(found, Object{Key: p.Prefix})
	}
	return found, page.Truncated && len(found) > 0, nil
}

// regionOf is where a bucket is, as far as is known.
func (a *Account) regionOf(bucket string) string {
	if r, ok := a.regions.Load(bucket); ok {
		return r.(string)
	}
	return a.objects.region
}

// errGone says that an object is not there any more.
var errGone = errors.New("s3:GetObject: it is not there any more")

// Gone says of an error of Object that there is no such object.
func Gone(err error) bool { return errors.Is(err, errGone) }

// Object opens an object, which the caller closes. It needs s3:GetObject.
func (a *Account) Object(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	if err := a.spent.may(PriceGet, 1, false); err != nil {
		return nil, err
	}
	resp, err := a.objects.get(ctx, a.regionOf(bucket), bucket, key, nil)
	switch {
	case err != nil:
		return nil, wrap("s3:GetObject", err)
	case resp.StatusCode == http.StatusOK:
		return resp.Body, nil
	}
	defer resp.Body.Close()
	if err = refused(resp, "s3:GetObject", bucket); strings.Contains(err.Error(), " NoSuchKey ") {
		return nil, errGone
	}
	return nil, err
}
