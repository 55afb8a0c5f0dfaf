package awstest

import (
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Object is one of S3.
type Object struct {
	Key  string
	At   time.Time
	Size int
	Body string // what GetObject has; with it Size is its length
}

// Store puts objects into a bucket.
func (a *AWS) Store(bucket string, os ...Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range os {
		if o.Body != "" {
			o.Size = len(o.Body)
		}
		a.objects[bucket] = append(a.objects[bucket], o)
	}
	slices.SortFunc(a.objects[bucket], func(x, y Object) int { return strings.Compare(x.Key, y.Key) })
}

// objectsAPage is the most of a page. Source: S3 API Reference, ListObjectsV2, read 30 November 2026.
const objectsAPage = 1000

// s3 answers ListObjectsV2 and GetObject, path style.
func (a *AWS) s3(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	action := "ListObjectsV2"
	if key != "" {
		action = "GetObject"
	}
	fail, fault := a.before(r, action)
	if fault != nil {
		plain(w, fault)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all, there := a.objects[bucket]
	at := slices.IndexFunc(all, func(o Object) bool { return o.Key == key })
	switch {
	case fail != nil:
	case r.Header.Get("X-Amz-Content-Sha256") == "":
		fail = &failure{http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"}
	case !there:
		fail = &failure{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	case key != "" && at < 0:
		fail = &failure{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	}
	switch {
	case fail != nil:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(fail.status)
		_, _ = io.WriteString(w, xml.Header+"<Error><Code>"+fail.code+"</Code><Message>"+html.EscapeString(fail.message)+"</Message></Error>")
	case key != "":
		_, _ = io.WriteString(w, all[at].Body)
	default:
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, a.listed(all, r.URL.Query()))
	}
}

// listed is a page of a bucket.
func (a *AWS) listed(all []Object, q url.Values) string {
	prefix, after, delimiter := q.Get("prefix"), max(q.Get("continuation-token"), q.Get("start-after")), q.Get("delimiter")
	var b strings.Builder
	n, last, folder := 0, "", ""
	for _, o := range all {
		rest, fits := strings.CutPrefix(o.Key, prefix)
		head, _, within := strings.Cut(rest, delimiter)
		within = within && delimiter != ""
		if !fits || o.Key <= after || within && prefix+head+delimiter == folder {
			continue
		}
		if n == min(objectsAPage, a.pages) {
			fmt.Fprintf(&b, "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", html.EscapeString(last))
			break
		}
		n++
		last = o.Key
		if within {
			folder = prefix + head + delimiter
			last = folder + "\xf4\x8f\xbf\xbf" // after all in it
			fmt.Fprintf(&b, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", html.EscapeString(folder))
			continue
		}
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>%s</LastModified><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", html.EscapeString(o.Key), o.At.UTC().Format("2006-01-02T15:04:05.000Z"), o.Size)
	}
	if !strings.Contains(b.String(), "<IsTruncated>") {
		b.WriteString("<IsTruncated>false</IsTruncated>")
	}
	return xml.Header + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + b.String() + "</ListBucketResult>"
}
