package logs

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// benchOfBirths is a bench whose clock is that of the file system.
func benchOfBirths(t *testing.T) (*bench, *os.File) {
	t.Helper()
	k := newBench(t, hits())
	f := k.open("app.log", os.O_APPEND)
	if born(f.Name()).IsZero() {
		t.Skip("this file system does not know when a file was made")
	}
	k.write(f, "hit before it was watched\n")
	k.look(0)
	k.now = time.Now()
	k.look(0)
	return k, f
}

func (k *bench) file(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(k.path(name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *bench) gzip(name string, text []byte) {
	k.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(text)
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	k.file(name, b.String())
}

func TestFilesThatHadTheNameBetweenTwoLooksAreRead(t *testing.T) {
	k, f := benchOfBirths(t)
	k.write(f, "hit 1\n")
	for n := range 5 { // five rotations
		k.rename("app.log", fmt.Sprintf("app.log.%d", n+1))
		k.file("app.log", "hit\nhit, and the last line has no end")
	}
	k.file("app.log.old", "hit of another name\n")
	k.file("app.log-errors", "hit of another log\n")
	k.file("app.log.9.gz", "hit")
	k.look(0)
	k.look(time.Second)
	k.want("hits_total", 1+5) // the lines without an end may go on
	k.look(idleKept)
	k.want("hits_total", 1+5+4) // and those of renamed files have not
	k.look(time.Hour)
	k.rename("app.log.3", "app.log.7") // nothing of it was made since
	k.rename("app.log", "app.log.8")
	k.file("app.log", "hit\n")
	k.now = time.Now().Add(time.Hour)
	k.look(time.Second)
	k.want("hits_total", 1+5+4+1+1) // with the end of what is app.log.8 now
}

func TestWhatWasWrittenBeforeAFileWasEmptiedIsReadInItsCopy(t *testing.T) {
	k, f := benchOfBirths(t)
	k.write(f, "hit 1\n")
	k.look(0)
	k.now = time.Now()
	k.look(0)
	for n := 2; n < 5; n++ { // three times within one look
		k.write(f, strings.Repeat(fmt.Sprintf("hit %d\n", n), 10))
		body, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		k.file(fmt.Sprintf("app.log.%d", n), string(body))
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
	}
	k.write(f, "hit 5\n")
	k.look(0)
	k.look(0)
	k.want("hits_total", 1+3*10+1)
}

func TestAFileThatIsCompressedWhileNoAgentRunsIsReadToItsEnd(t *testing.T) {
	k, f := benchOfBirths(t)
	k.write(f, "hit 1\nhit 2\n")
	k.look(0)
	k.collect()
	k.stop()
	k.write(f, "hit 3\nhit 4, without an end")
	body, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	k.gzip("app.log.2.gz", []byte("hit of another file, read long ago and compressed now\n"))
	k.gzip("app.log.1.gz", body)
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	k.file("app.log", "hit 5\n")
	k.start()
	k.look(0)
	k.want("hits_total", 2+1+1)
}

func TestLinesOfUTF16(t *testing.T) {
	wide := func(order binary.AppendByteOrder, text string) (out string) {
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	for name, order := range map[string]binary.AppendByteOrder{"low": binary.LittleEndian, "high": binary.BigEndian} {
		t.Run(name, func(t *testing.T) {
			k := newBench(t, Log{Patterns: []Pattern{{Name: "hits_total", Match: "^hit .*[ऊĊ]$"}}})
			k.look(time.Second)
			f := k.open("app.log", os.O_APPEND)
			text := wide(order, "\ufeffhit ऊ\r\nhit Ċ\nno\n")
			k.write(f, text[:9])
			k.look(time.Second)
			k.write(f, text[9:])
			k.look(time.Second)
			k.want("hits_total", 2)
			k.write(f, wide(order, "hit Ċ\nhit"))
			k.stop()
			k.write(f, wide(order, " ऊ\n"+strings.Repeat("x", 2*maxLine)+"\nhit Ċ\n"))
			k.start()
			k.look(time.Second)
			k.want("hits_total", 2+1+1+1)
			k.want("logs_cut_total", 1)
			k.want("logs_behind_bytes", 0)
		})
	}
}

func TestAMarkAtTheBeginIsNoPartOfTheFirstLine(t *testing.T) {
	k := newBench(t, Log{Patterns: []Pattern{{Name: "hits_total", Match: "^hit"}}})
	k.look(time.Second)
	k.write(k.open("app.log", os.O_APPEND), "\ufeffhit\nhit\n")
	k.look(time.Second)
	k.want("hits_total", 2)
}
