package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Bounds of listing a prefix. Source: S3 API Reference, ListObjectsV2, read 30 November 2026; the module of S3 costs 20 s of build, so
// that this one call is signed by hand.
const (
	s3Pages = 50 // of 1,000 objects
	s3Limit = 40 * time.Second
	s3Body  = 4 << 20
	// PriceObjects is the price of a page, in dollars (us-east-1, S3 Standard's LIST requests, as commonly quoted; not verified).
	PriceObjects = 0.005 / 1000
)

// Objects are what stands under a prefix of a bucket.
type Objects struct {
	N      int
	Newest time.Time // zero: there is none
	Key    string    // of the newest
	Pages  int
}

// ErrManyObjects says that a prefix has more than can be listed each time.
var ErrManyObjects = errors.New("more than 50,000 objects are under it: want a narrower prefix")

type lister struct {
	keys     aws.CredentialsProvider
	client   aws.HTTPClient
	region   string
	endpoint string // of all buckets; empty: the region's
}

func newLister(cfg aws.Config) lister {
	l := lister{keys: cfg.Credentials, client: cfg.HTTPClient, region: cfg.Region, endpoint: os.Getenv("AWS_ENDPOINT_URL_S3")}
	if l.endpoint == "" {
		l.endpoint = aws.ToString(cfg.BaseEndpoint)
	}
	if l.client == nil {
		l.client = http.DefaultClient
	}
	return l
}

// Newest lists a prefix and says which object is the newest. An object without bytes, as folders are, is none.
func (a *Account) Newest(ctx context.Context, bucket, prefix string) (Objects, error) {
	ctx, cancel := context.WithTimeout(ctx, s3Limit)
	defer cancel()
	var out Objects
	region, token := a.objects.region, ""
	for range s3Pages {
		if err := a.spent.may(PriceObjects, 1, false); err != nil {
			return out, err
		}
		page, elsewhere, err := a.objects.page(ctx, region, bucket, listing{prefix: prefix, token: token})
		if elsewhere != "" && elsewhere != region {
			region = elsewhere // the bucket's own
			page, _, err = a.objects.page(ctx, region, bucket, listing{prefix: prefix, token: token})
		}
		if err != nil {
			return out, err
		}
		out.Pages++
		for _, o := range page.Contents {
			if o.Size == 0 {
				continue
			}
			if out.N++; o.LastModified.After(out.Newest) {
				out.Newest, out.Key = o.LastModified, o.Key
			}
		}
		if token = page.Next; token == "" || !page.Truncated {
			return out, nil
		}
	}
	return out, ErrManyObjects
}

type objectsPage struct {
	Contents []struct {
		Key          string
		LastModified time.Time
		Size         int64
	}
	Folders   []struct{ Prefix string } `xml:"CommonPrefixes"`
	Truncated bool                      `xml:"IsTruncated"`
	Next      string                    `xml:"NextContinuationToken"`
}

// listing is what of a bucket is listed.
type listing struct {
	prefix, token, after string
	folders              bool // up to the next slash
}

// page asks for one. elsewhere is the region of the bucket where it is another.
func (l lister) page(ctx context.Context, region, bucket string, is listing) (p objectsPage, elsewhere string, err error) {
	q := url.Values{"list-type": {"2"}, "prefix": {is.prefix}, "max-keys": {"1000"}}
	if is.token != "" {
		q.Set("continuation-token", is.token)
	}
	if is.after != "" {
		q.Set("start-after", is.after)
	}
	if is.folders {
		q.Set("delimiter", "/")
	}
	resp, err := l.get(ctx, region, bucket, "", q)
	if err != nil {
		return p, "", fmt.Errorf("s3:ListBucket: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, resp.Header.Get("X-Amz-Bucket-Region"), refused(resp, "s3:ListBucket", bucket)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s3Body))
	if err == nil {
		err = xml.Unmarshal(body, &p)
	}
	if err != nil {
		err = fmt.Errorf("s3:ListBucket: %w", err)
	}
	return p, "", err
}

// get sends a signed question about a bucket, or an object of it.
func (l lister) get(ctx context.Context, region, bucket, key string, q url.Values) (*http.Response, error) {
	base := l.endpoint
	if base == "" {
		base = "https://s3." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			base += ".cn"
		}
	}
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil {
		return nil, err
	}
	u.Path += "/" + bucket
	if key != "" {
		u.Path += "/" + key
	}
	u.RawPath = escaped(u.Path)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	keys, err := l.keys.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	empty := sha256.Sum256(nil)
	hash := hex.EncodeToString(empty[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(ctx, keys, req, hash, "s3", region, time.Now())
	if err != nil {
		return nil, err
	}
	return l.client.Do(req)
}

// escaped is a path as S3 signs it: all but letters, digits, - . _ ~ and slashes.
// Source: S3 API Reference, "Signature calculations", UriEncode, read 30 November 2026.
func escaped(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// refused is what an answer other than 200 says.
func refused(resp *http.Response, action, bucket string) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var fault struct{ Code, Message string }
	_ = xml.Unmarshal(body, &fault) // of a proxy, say: the status says enough
	if fault.Code == "AccessDenied" || fault.Code == "" && resp.StatusCode == http.StatusForbidden {
		return fmt.Errorf("the role lacks the right %s on %s", action, bucket)
	}
	return fmt.Errorf("%s: %d %s %s", action, resp.StatusCode, fault.Code, fault.Message)
}
