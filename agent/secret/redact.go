package secret

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// What the text of a secret looks like, by what stands around it. A name that is a secret's counts with = behind it, as in
// a query, a flag or an environment; with a colon only where a value follows and not a sentence of ours.
const names = `pass(?:word|wd|phrase)?|pwd|secret|(?:[a-z0-9]+[_-])*(?:token|secret|password|passwd)|(?:api|app|access|routing|integration|service|private|signing|account|shared|secret[_-]access)[_-]?key|apikey|authorization|credentials?|signature|sig`

var (
	schemes   = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\x60]+`)
	assigned  = regexp.MustCompile(`(?i)(^|[^a-z0-9])((?:` + names + `)["']?\s*=\s*)("[^"]*"|'[^']*'|[^\s&;,"'<>)}\]]+)`)
	keyed     = regexp.MustCompile(`(?i)([?&;]key=)([^\s&;"'<>#]+)`)
	quoted    = regexp.MustCompile(`(?i)(["'](?:` + names + `)["']\s*:\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,}\]]+)`)
	colon     = regexp.MustCompile(`(?i)(^|[^a-z0-9.])((?:` + names + `)\s*:[ \t]+)("[^"]*"|'[^']*'|[^\s,;"'<>)}\]]+)([ \t]*)([^\s]?)`)
	flagged   = regexp.MustCompile(`(?i)(--?(?:` + names + `)\s+)([^\s-][^\s]*)`)
	schemed   = regexp.MustCompile(`(?i)\b((?:bearer|basic|digest|token)\s+)([a-z0-9._~+/=-]{8,})`)
	shapes    = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bsk_(?:live|test)_\w{10,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?`)
	chatHooks = regexp.MustCompile(`(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|api\.telegram\.org/bot|webhook\.office\.com/|hc-ping\.com/)[^\s"'<>]+`)
	pem       = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	hints     = regexp.MustCompile(`(?i)://|pass|pwd|secret|token|key|auth|credential|sig|bearer|basic|digest|A[KS]IA|gh[pousr]_|github_pat|glpat|xox|sk_|AIza|eyJ|hooks\.slack|webhook|telegram|hc-ping|-----BEGIN`)
)

// Redact returns text without what must not be shown to a person or a pager: passwords in URLs, values of settings, headers,
// queries and flags that are named like a secret, keys of known shapes, and every Secret that this process has read. It is
// the one place that decides so.
func Redact(text string) string {
	if known := known.Load(); known != nil {
		text = known.Replace(text)
	}
	switch hinted(text) {
	case nothing:
		return text
	case address:
		if !strings.Contains(text, "@") {
			return text
		}
		return schemes.ReplaceAllStringFunc(text, redactURL)
	}
	return redactLong(text)
}

// redactLong asks all expressions.
func redactLong(text string) string {
	text = pem.ReplaceAllString(text, shown)
	text = schemes.ReplaceAllStringFunc(text, redactURL)
	text = chatHooks.ReplaceAllString(text, "${1}"+shown)
	text = quoted.ReplaceAllString(text, `${1}"`+shown+`"`)
	text = assigned.ReplaceAllString(text, "${1}${2}"+shown)
	text = keyed.ReplaceAllString(text, "${1}"+shown)
	text = flagged.ReplaceAllString(text, "${1}"+shown)
	text = schemed.ReplaceAllStringFunc(text, func(m string) string { return keepFirst(schemed, m, dense) })
	text = colon.ReplaceAllStringFunc(text, redactColon)
	return shapes.ReplaceAllString(text, shown)
}

// redactURL hides the password of a URL, and a name that is as long as a token. A password may hold what does not belong
// there: a slash, a question mark, an at sign.
func redactURL(u string) string {
	scheme, rest, _ := strings.Cut(u, "://")
	end := strings.IndexAny(rest, "/?#")
	authority := rest
	if end >= 0 {
		authority = rest[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	if _, port, has := strings.Cut(authority, ":"); at < 0 && has && strings.Trim(port, "0123456789") != "" && !strings.HasPrefix(authority, "[") {
		at = strings.IndexByte(rest, '@') // what follows the colon is no port
	}
	if at < 0 {
		return u
	}
	user, password, has := strings.Cut(rest[:at], ":")
	switch {
	case has && password != "":
		user += ":" + shown
	case !has && len(user) >= 16:
		user = shown
	}
	return scheme + "://" + user + rest[at:]
}

// dense says whether a word looks like a key and not like a word of a language.
func dense(s string) bool { return strings.ContainsAny(s, "0123456789=") || len(s) >= 24 }

func keepFirst(re *regexp.Regexp, match string, hide func(string) bool) string {
	m := re.FindStringSubmatch(match)
	if !hide(m[2]) {
		return match
	}
	return m[1] + shown
}

// redactColon hides the value behind "password: ", unless it is the begin of a sentence: "password: want one".
func redactColon(match string) string {
	m := colon.FindStringSubmatch(match)
	value, after := m[3], m[5]
	last := after == "" || strings.ContainsAny(after, ",;}])\"'")
	quote := strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'")
	if value == shown || !quote && !last && !dense(value) {
		return match
	}
	return m[1] + m[2] + shown + m[4] + after
}

// known replaces the secrets that this process has read; nil while there is none.
var (
	known      atomic.Pointer[strings.Replacer]
	knownMu    sync.Mutex
	knownTexts []string
)

// Bounds of what is known: a shorter secret would hide words of a language.
const (
	leastKnown = 8
	mostKnown  = 1000
)

// learn notes a secret, so that it is hidden wherever it turns up.
func learn(value string) {
	if len(value) < leastKnown {
		return
	}
	knownMu.Lock()
	defer knownMu.Unlock()
	if slices.Contains(knownTexts, value) || len(knownTexts) >= mostKnown {
		return
	}
	knownTexts = append(knownTexts, value)
	slices.SortFunc(knownTexts, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be the begin of another
	pairs := make([]string, 0, 2*len(knownTexts))
	for _, t := range knownTexts {
		pairs = append(pairs, t, shown)
	}
	known.Store(strings.NewReplacer(pairs...))
}

// RedactAll redacts every text in what v points to: fields, elements, values of maps.
func RedactAll(v any) { redactValue(reflect.ValueOf(v)) }

func redactValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			redactValue(v.Elem())
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(Redact(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				redactValue(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			redactValue(v.Index(i))
		}
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			return
		}
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.ValueOf(Redact(v.MapIndex(k).String())).Convert(v.Type().Elem()))
		}
	}
}

// Handler returns a handler of log records that hides what Redact hides, in messages and attributes.
func Handler(h slog.Handler) slog.Handler { return redacting{h} }

type redacting struct{ slog.Handler }

// Handle implements slog.Handler.
func (h redacting) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(redactAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h redacting) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = redactAttr(a)
	}
	return redacting{h.Handler.WithAttrs(out)}
}

// WithGroup implements slog.Handler.
func (h redacting) WithGroup(name string) slog.Handler { return redacting{h.Handler.WithGroup(name)} }

func redactAttr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Redact(v.String()))
	case slog.KindGroup:
		group := make([]any, 0, len(v.Group()))
		for _, g := range v.Group() {
			group = append(group, redactAttr(g))
		}
		return slog.Group(a.Key, group...)
	case slog.KindAny:
		switch v.Any().(type) {
		case error, fmt.Stringer, []string, map[string]string:
			return slog.String(a.Key, Redact(v.String()))
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}
