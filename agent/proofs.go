package agent

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// Bounds of what is measured for messages. A page waits for its evidence no longer than anybody would notice; a store that is too
// slow for that is not asked for a while, so that a storm pays for it once.
const (
	proofTime  = 500 * time.Millisecond
	proofPause = time.Minute
	chartFor   = 7 * 24 * time.Hour // how long the link to a picture works, and the file is kept
	maxCharts  = 1000               // files of about 20 KB, the oldest give way
	chartsDir  = "charts"           // in the data folder
)

// proofs puts into pages what proves them: the alarm's value and threshold in words and, where it is wanted, the address of a
// picture that is drawn once for an incident. The picture is a file, so that whoever fetches it later runs no query.
type proofs struct {
	config func() Config
	dir    func() string
	log    *slog.Logger

	mu     sync.Mutex
	board  *oncall.Pages // as the configuration in force and the open store make it; nil: not yet
	paused time.Time     // until when the store is not asked
}

func (p *proofs) use(board *oncall.Pages) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.board = board
}

// ask returns the board, nil where the store is not to be asked now.
func (p *proofs) ask() *oncall.Pages {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.paused) {
		return nil
	}
	return p.board
}

// prove returns a page with its evidence, or as it was.
func (p *proofs) prove(ctx context.Context, kind alerting.ActionKind, key string, page alerting.Page) alerting.Page {
	if kind != alerting.Trigger && kind != alerting.Retitle || len(page.Explained) == 0 {
		return page
	}
	board := p.ask()
	if board == nil {
		return page
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	said, picture, ok := board.Proof(ctx, page.Explained[0])
	if ctx.Err() != nil {
		p.mu.Lock()
		p.paused = time.Now().Add(proofPause)
		p.mu.Unlock()
		p.log.Warn("pages go out without evidence for a while: the store is slow", "limit", proofTime, "pause", proofPause)
	}
	if !ok {
		return page
	}
	page.Evidence = said
	cfg := p.config()
	if !cfg.Route.ChartLinks {
		return page
	}
	link := cfg.chartLinks()
	if err := p.draw(link.name(key), func() ([]byte, error) { return picture(pagerduty.Title(page)) }); err != nil {
		p.log.Error("no chart in a page", "key", key, "err", err)
		return page
	}
	page.Chart = link.url(key, time.Now())
	return page
}

// draw writes the picture of an incident, unless it is there.
func (p *proofs) draw(name string, picture func() ([]byte, error)) error {
	dir := filepath.Join(p.dir(), chartsDir)
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	body, err := picture()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	prune(dir, time.Now())
	return atomicfile.Write(path, body, 0o600)
}

// prune removes pictures whose links have ended, and the oldest where there are too many.
func prune(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // what cannot be read is told when it is written
	}
	type file struct {
		name string
		at   time.Time
	}
	var kept []file
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		if now.Sub(info.ModTime()) > chartFor {
			_ = os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		kept = append(kept, file{e.Name(), info.ModTime()})
	}
	for len(kept) >= maxCharts {
		oldest := 0
		for i := range kept {
			if kept[i].at.Before(kept[oldest].at) {
				oldest = i
			}
		}
		_ = os.Remove(filepath.Join(dir, kept[oldest].name))
		kept = append(kept[:oldest], kept[oldest+1:]...)
	}
}

// chartLinks make and check the addresses of pictures. Whoever has one sees one picture, without a login: pagers and chats fetch it.
type chartLinks struct {
	board string
	key   []byte
}

// chartLinks are signed with a key of their own, made of what acknowledgements are signed with.
func (c Config) chartLinks() chartLinks {
	ack := c.Route.ackLinks(c.boardURL())
	mac := hmac.New(sha256.New, ack.key)
	mac.Write([]byte("binnacle: charts in messages"))
	return chartLinks{ack.board, mac.Sum(nil)}
}

func (l chartLinks) sign(text string) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// name is the file of an incident's picture, which says nothing of the incident.
func (l chartLinks) name(key string) string {
	return hex.EncodeToString(l.sign("name\n" + key)[:16]) + ".png"
}

func (l chartLinks) url(key string, now time.Time) string {
	name, until := l.name(key), strconv.FormatInt(now.Add(chartFor).Unix(), 10)
	q := url.Values{"until": {until}, "sig": {base64.RawURLEncoding.EncodeToString(l.sign("link\n" + until + "\n" + name)[:16])}}
	return strings.TrimSuffix(l.board, "/") + "/charts/" + name + "?" + q.Encode()
}

func (l chartLinks) check(name string, q url.Values, now time.Time) error {
	until := q.Get("until")
	if !hmac.Equal([]byte(q.Get("sig")), []byte(base64.RawURLEncoding.EncodeToString(l.sign("link\n" + until + "\n" + name)[:16]))) {
		return errors.New("this link was cut short, or is for another picture")
	}
	at, err := strconv.ParseInt(until, 10, 64)
	if err != nil || now.After(time.Unix(at, 0)) {
		return errors.New("this link has ended: pictures in messages are kept for 7 days")
	}
	return nil
}

var chartName = regexp.MustCompile(`^[0-9a-f]{32}\.png$`)

// serve answers who has a link. It reads a file and runs no query.
func (p *proofs) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := p.config().chartLinks().check(name, r.URL.Query(), time.Now()); err != nil || !chartName.MatchString(name) {
		http.Error(w, "no such picture: the link was cut short or has ended", http.StatusNotFound)
		return
	}
	body, err := os.ReadFile(filepath.Join(p.dir(), chartsDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "no such picture: another router has it, or it was removed", http.StatusNotFound)
		return
	}
	if err != nil {
		p.log.Error("picture not read", "name", name, "err", err)
		http.Error(w, "the picture cannot be read", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "private, max-age=604800, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	_, _ = w.Write(body) // who went away does not want it
}
