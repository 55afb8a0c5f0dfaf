package agent

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ackFor is how long a message's link to acknowledge works.
const ackFor = 24 * time.Hour

// ackLinks makes and checks the links in messages that lead to where a person acknowledges one incident. A link is no right to
// do so: who follows it shows at the door who it is. The key is made of what every router of a fleet has in its
// configuration, so that a link of one works at all.
type ackLinks struct {
	board string
	key   []byte
}

func (c RouteConfig) ackLinks(board string) ackLinks {
	h := sha256.New()
	fmt.Fprintf(h, "binnacle: links to acknowledge\n%s\n%s\n", c.Order.Fleet, c.PagerDuty.RoutingKey.Reveal())
	for _, name := range slices.Sorted(maps.Keys(c.Ways.Pagers)) {
		fmt.Fprintf(h, "%s\n%s\n", name, c.Ways.Pagers[name].Key())
	}
	return ackLinks{strings.TrimSuffix(board, "/"), h.Sum(nil)}
}

func (l ackLinks) sign(key, until string) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(until + "\n" + key))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// url is the link for an incident.
func (l ackLinks) url(key string) string {
	until := strconv.FormatInt(time.Now().Add(ackFor).Unix(), 10)
	q := url.Values{"until": {until}, "sig": {l.sign(key, until)}}
	return l.board + "/problems/" + url.PathEscape(key) + "/ack?" + q.Encode()
}

// check says why a link does not work.
func (l ackLinks) check(key string, q url.Values) error {
	until := q.Get("until")
	if !hmac.Equal([]byte(q.Get("sig")), []byte(l.sign(key, until))) {
		return errors.New("this link was cut short, or is for another incident")
	}
	at, err := strconv.ParseInt(until, 10, 64)
	if err != nil || time.Now().After(time.Unix(at, 0)) {
		return errors.New("this link has ended: links in messages work for 24 hours")
	}
	return nil
}
