package awstest

import (
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Object is one of S3.
type Object struct {
	Key  string
	At   time.Time
	Size int
}

// Store puts objects into a bucket.
func (a *AWS) Store(bucket string, os ...Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[bucket] = append(a.objects[bucket], os...)
	slices.SortFunc(a.objects[bucket], func(x, y Object) int { return strings.Compare(x.Key, y.Key) })
}

// objectsAPage is the most of a page. Source: S3 API Reference, ListObjectsV2, read 30 November 2026.
const objectsAPage = 1000

// s3 answers ListObjectsV2, path style.
func (a *AWS) s3(w http.ResponseWriter, r *http.Request) {
	fail, fault := a.before(r, "ListObjectsV2")
	if fault != nil {
		plain(w, fault)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	bucket, q := strings.Trim(r.URL.Path, "/"), r.URL.Query()
	a.mu.Lock()
	defer a.mu.Unlock()
	all, there := a.objects[bucket]
	if fail == nil && r.Header.Get("X-Amz-Content-Sha256") == "" {
		fail = &failure{http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"}
	}
	if fail == nil && !there {
		fail = &failure{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	}
	if fail != nil {
		w.WriteHeader(fail.status)
		_, _ = io.WriteString(w, xml.Header+"<Error><Code>"+fail.code+"</Code><Message>"+html.EscapeString(fail.message)+"</Message></Error>")
		return
	}
	var found []Object
	for _, o := range all {
		if strings.HasPrefix(o.Key, q.Get("prefix")) && o.Key > q.Get("continuation-token") {
			found = append(found, o)
		}
	}
	n := min(len(found), objectsAPage, a.pages)
	var b strings.Builder
	for _, o := range found[:n] {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>%s</LastModified><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", html.EscapeString(o.Key), o.At.UTC().Format("2006-01-02T15:04:05.000Z"), o.Size)
	}
	if n < len(found) {
		fmt.Fprintf(&b, "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", html.EscapeString(found[n-1].Key))
	} else {
		b.WriteString("<IsTruncated>false</IsTruncated>")
	}
	_, _ = io.WriteString(w, xml.Header+`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+b.String()+"</ListBucketResult>")
}
