package secret

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestRedactHidesWhatMustNotBeShown(t *testing.T) {
	for in, want := range map[string]string{
		"amqp://guest:hunter2@10.0.0.1:5672/":                                 "amqp://guest:<secret>@10.0.0.1:5672/",
		"get https://ann:p@ss@host:9600/x failed":                             "get https://ann:<secret>@host:9600/x failed",
		"amqp://ann:pa/ss@host/vhost":                                         "amqp://ann:<secret>@host/vhost",
		"http://ann:pa?ss#x@host/":                                            "http://ann:<secret>@host/",
		"https://ghx0123456789abcdef@github.example/x":                        "https://<secret>@github.example/x",
		"nats://tls:x1@a:4222,nats://b:4222":                                  "nats://tls:<secret>@a:4222,nats://b:4222",
		`dial "redis://:s3cret@cache:6379/0"`:                                 `dial "redis://:<secret>@cache:6379/0"`,
		"https://h.example/in?api_key=abc123&x=1":                             "https://h.example/in?api_key=<secret>&x=1",
		"https://h.example/in?key=abc":                                        "https://h.example/in?key=<secret>",
		"https://bucket.s3.amazonaws.com/a?X-Amz-Signature=deadbeef&b":        "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=<secret>&b",
		"mysqld --password=hunter2 --user=root":                               "mysqld --password=<secret> --user=root",
		"mysqld --password hunter2":                                           "mysqld --password <secret>",
		"DB_PASSWORD=hunter2 ./run":                                           "DB_PASSWORD=<secret> ./run",
		`{"user":"ann","password":"hunter2","n":1}`:                           `{"user":"ann","password":"<secret>","n":1}`,
		"Authorization: Bearer abcdefgh12345678":                              "Authorization: Bearer <secret>",
		"header Basic YW5uOmh1bnRlcjI= refused":                               "header Basic <secret> refused",
		"password: hunter2":                                                   "password: <secret>",
		"login failed (password: swordfish)":                                  "login failed (password: <secret>)",
		"the key AKIAIOSFODNN7EXAMPLE is not valid":                           "the key <secret> is not valid",
		"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG":                       "aws_secret_access_key = <secret>",
		"https://hooks.slack.com/services/T0/B0/abc":                          "https://hooks.slack.com/services/<secret>",
		"jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln":                                  "jwt <secret>",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----": "<secret>",

		// What is no secret stays as it is.
		"http://10.0.0.1:9600/a@b":                               "http://10.0.0.1:9600/a@b",
		"http://[::1]:9600/":                                     "http://[::1]:9600/",
		"ssh://git@host/x":                                       "ssh://git@host/x",
		"route.pagerduty.routing_key: has 5 characters":          "route.pagerduty.routing_key: has 5 characters",
		"username: want it with password, or neither":            "username: want it with password, or neither",
		"password: want it with username":                        "password: want it with username",
		"secret: environment variable NOT_SET is not set":        "secret: environment variable NOT_SET is not set",
		"web.act: basic authentication is off":                   "web.act: basic authentication is off",
		"Disk 96 % full, limit 95 %":                             "Disk 96 % full, limit 95 %",
		"key_file: open /etc/key.pem: no such file or directory": "key_file: open /etc/key.pem: no such file or directory",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q)\n     = %q\nwant   %q", in, got, want)
		}
		if again := Redact(Redact(in)); again != Redact(in) {
			t.Errorf("Redact(Redact(%q)) = %q; want no more than once", in, again)
		}
	}
}

func TestASecretThatWasReadIsHiddenEverywhere(t *testing.T) {
	var s Secret
	if err := yaml.Unmarshal([]byte("correct-horse"), &s); err != nil {
		t.Fatal(err)
	}
	if got := Redact("the server says: no user for correct-horse"); got != "the server says: no user for <secret>" {
		t.Errorf("Redact = %q", got)
	}
	var out bytes.Buffer
	log := slog.New(Handler(slog.NewTextHandler(&out, nil))).With("url", "http://a:b1@h/")
	log.WithGroup("g").Warn("no correct-horse", "err", errors.New("password=hunter2"), slog.Group("sub", "token", "x", "n", 3))
	if got := out.String(); strings.Contains(got, "hunter2") || strings.Contains(got, "horse") || strings.Contains(got, "b1") || !strings.Contains(got, "sub.n=3") {
		t.Errorf("logged %s", got)
	}
	v := struct {
		Error string
		Each  []string
		By    map[string]string
		Inner *struct{ URL string }
	}{"correct-horse", []string{"a://b:c1@d"}, map[string]string{"x": "correct-horse"}, &struct{ URL string }{"http://u:pw@h"}}
	RedactAll(&v)
	if v.Error != shown || v.Each[0] != "a://b:<secret>@d" || v.By["x"] != shown || v.Inner.URL != "http://u:<secret>@h" {
		t.Errorf("RedactAll = %+v, %+v", v, v.Inner)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("amqp://guest:hunter2@h/ password: x token=y")
	f.Fuzz(func(t *testing.T, in string) { Redact(in) })
}

func TestSecretsOfFilesAsEditorsWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"s3cret":                              "s3cret",
		"s3cret\n":                            "s3cret",
		"\xef\xbb\xbfs3cret\r\n":              "s3cret",
		"\xff\xfes\x003\x00c\x00\r\x00\n\x00": "s3c",
		"\xfe\xff\x00s\x003\x00c\x00\r\x00\n": "s3c",
		" with space inside \n":               "with space inside",
	} {
		if got := clean([]byte(in)); got != want {
			t.Errorf("a file of %q gives %q; want %q", in, got, want)
		}
	}
}
