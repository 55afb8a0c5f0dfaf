package graphite

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// maxMessage bounds a message of pickle, in bytes, as Carbon does.
// Source: carbon 1.1.7, lib/carbon/protocols.py: MAX_LENGTH of MetricPickleReceiver is 2**20; read 30 November 2026.
const maxMessage = 1 << 20

// errPickle says that a message is none that a sender of figures makes. What could make an object, or call something, is refused
// with all of its message: only lists, tuples, numbers and strings are read.
var errPickle = errors.New("not a list of figures")

// mark is where a list or a tuple begins on the stack.
type mark struct{}

// unpickler reads one message. It makes no objects: memory is bounded by the message, since each step takes a byte of it and
// pushes one value at most.
type unpickler struct {
	r     *bytes.Reader
	stack []any // float64, string, nil, mark, []any of tuples, *[]any of lists
	memo  map[int]any
}

// unpickle reads a message of protocols 0 to 4.
// Source: Python 3.11, Lib/pickletools.py, read 30 November 2026.
func unpickle(message []byte) (any, error) {
	u := &unpickler{r: bytes.NewReader(message), memo: map[int]any{}}
	for {
		op, err := u.r.ReadByte()
		if err != nil {
			return nil, err
		}
		if op == '.' {
			return u.pop()
		}
		step, ok := opcodes[op]
		if !ok {
			return nil, fmt.Errorf("%w: opcode %#x", errPickle, op)
		}
		if err := step(u); err != nil {
			return nil, err
		}
	}
}

// opcodes are all that are read.
var opcodes = known()

func known() map[byte]func(*unpickler) error {
	skip := func(n int) func(*unpickler) error {
		return func(u *unpickler) error { _, err := u.bytes(n); return err }
	}
	push := func(v func() any) func(*unpickler) error {
		return func(u *unpickler) error { u.push(v()); return nil }
	}
	return map[byte]func(*unpickler) error{
		0x80: skip(1), 0x95: skip(8), // PROTO, FRAME
		'(': push(func() any { return mark{} }), 'N': push(func() any { return nil }),
		']': push(func() any { return &[]any{} }), ')': push(func() any { return []any{} }),
		'l': func(u *unpickler) error {
			items, err := u.since()
			u.push(&items)
			return err
		},
		't': func(u *unpickler) error {
			items, err := u.since()
			u.push(items)
			return err
		},
		0x85: tuple(1), 0x86: tuple(2), 0x87: tuple(3),
		'a': func(u *unpickler) error {
			v, err := u.pop()
			return errors.Join(err, u.appendTo(v))
		},
		'e': func(u *unpickler) error {
			items, err := u.since()
			return errors.Join(err, u.appendTo(items...))
		},
		'K': integer(1), 'M': integer(2), 'J': integer(4), 'G': binaryFloat, 0x8a: long,
		'I': text(number), 'L': text(number), 'F': text(number),
		'S': text(quoted), 'V': text(func(s string) (any, error) { return s, nil }),
		'U': counted(1), 'T': counted(4), 'X': counted(4), 0x8c: counted(1), 0x8d: counted(8),
		'p': func(u *unpickler) error { return u.byLine(u.keep) }, 'g': func(u *unpickler) error { return u.byLine(u.fetch) },
		'q': put(1), 'r': put(4), 'h': get(1), 'j': get(4),
		0x94: func(u *unpickler) error { return u.keep(len(u.memo)) },
	}
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

func (u *unpickler) pop() (any, error) {
	if len(u.stack) == 0 {
		return nil, errPickle
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

// since takes what was pushed since the last mark.
func (u *unpickler) since() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, is := u.stack[i].(mark); is {
			items := append([]any{}, u.stack[i+1:]...)
			u.stack = u.stack[:i]
			return items, nil
		}
	}
	return nil, errPickle
}

func (u *unpickler) appendTo(items ...any) error {
	if len(u.stack) == 0 {
		return errPickle
	}
	list, ok := u.stack[len(u.stack)-1].(*[]any)
	if !ok {
		return errPickle
	}
	*list = append(*list, items...)
	return nil
}

func (u *unpickler) bytes(n int) ([]byte, error) {
	if n < 0 || n > u.r.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := io.ReadFull(u.r, b)
	return b, err
}

// count reads an unsigned number of n bytes.
func (u *unpickler) count(n int) (int, error) {
	b, err := u.bytes(n)
	if err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint64(append(b, make([]byte, 8-n)...))
	if v > maxMessage {
		return 0, errPickle
	}
	return int(v), nil
}

func (u *unpickler) line() (string, error) {
	var b strings.Builder
	for {
		c, err := u.r.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return strings.TrimSuffix(b.String(), "\r"), nil
		}
		b.WriteByte(c)
	}
}

func (u *unpickler) byLine(do func(int) error) error {
	s, err := u.line()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return errPickle
	}
	return do(n)
}

func (u *unpickler) keep(n int) error {
	if len(u.stack) == 0 {
		return errPickle
	}
	u.memo[n] = u.stack[len(u.stack)-1]
	return nil
}

func (u *unpickler) fetch(n int) error {
	v, ok := u.memo[n]
	if !ok {
		return errPickle
	}
	u.push(v)
	return nil
}

func put(n int) func(*unpickler) error {
	return func(u *unpickler) error {
		at, err := u.count(n)
		if err != nil {
			return err
		}
		return u.keep(at)
	}
}

func get(n int) func(*unpickler) error {
	return func(u *unpickler) error {
		at, err := u.count(n)
		if err != nil {
			return err
		}
		return u.fetch(at)
	}
}

func tuple(n int) func(*unpickler) error {
	return func(u *unpickler) error {
		if len(u.stack) < n {
			return errPickle
		}
		at := len(u.stack) - n
		items := append([]any{}, u.stack[at:]...)
		u.stack = append(u.stack[:at], items)
		return nil
	}
}

// integer reads a number of n bytes, which has a sign where it has four.
func integer(n int) func(*unpickler) error {
	return func(u *unpickler) error {
		b, err := u.bytes(n)
		if err != nil {
			return err
		}
		v := binary.LittleEndian.Uint32(append(b, make([]byte, 4-n)...))
		u.push(float64(int32(v)))
		return nil
	}
}

func binaryFloat(u *unpickler) error {
	b, err := u.bytes(8)
	if err != nil {
		return err
	}
	u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	return nil
}

// long reads an integer of up to eight bytes; a larger one is no figure.
func long(u *unpickler) error {
	n, err := u.count(1)
	if err != nil {
		return err
	}
	b, err := u.bytes(n)
	if err != nil || n > 8 {
		return errors.Join(errPickle, err)
	}
	fill := byte(0)
	if n > 0 && b[n-1]&0x80 != 0 {
		fill = 0xff
	}
	for len(b) < 8 {
		b = append(b, fill)
	}
	u.push(float64(int64(binary.LittleEndian.Uint64(b))))
	return nil
}

// counted reads a string after its length of n bytes.
func counted(n int) func(*unpickler) error {
	return func(u *unpickler) error {
		size, err := u.count(n)
		if err != nil {
			return err
		}
		b, err := u.bytes(size)
		u.push(string(b))
		return err
	}
}

func text(read func(string) (any, error)) func(*unpickler) error {
	return func(u *unpickler) error {
		s, err := u.line()
		if err != nil {
			return err
		}
		v, err := read(s)
		u.push(v)
		return err
	}
}

func number(s string) (any, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "L"), 64)
	return v, err
}

// quoted takes the quotes off. A path has nothing that would be escaped in between.
func quoted(s string) (any, error) {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return nil, errPickle
	}
	return s[1 : len(s)-1], nil
}

// takeMessage takes all figures of a message: a list of (path, (time, value)). One that is none is counted and left out; a
// message that is none costs its connection.
func (c *collector) takeMessage(message []byte) error {
	v, err := unpickle(message)
	if err != nil {
		c.reject("pickle")
		return err
	}
	for _, item := range items(v) {
		pair := items(item)
		if len(pair) != 2 {
			c.reject("form")
			continue
		}
		path, ok := pair[0].(string)
		figure := items(pair[1])
		if !ok || len(figure) != 2 || strings.ContainsAny(path, " \t\r\n") {
			c.reject("form")
			continue
		}
		c.take([]byte(path + " " + word(figure[1]) + " " + word(figure[0])))
	}
	return nil
}

func items(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case *[]any:
		return *v
	}
	return nil
}

// word is a figure as a line would have it: senders send numbers as text, too.
func word(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		if s := strings.TrimSpace(v); s != "" && !strings.ContainsAny(s, " \t\r\n") {
			return s
		}
	}
	return "none"
}

// messages reads those of one connection: four bytes of length, then as many.
func (c *collector) messages(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ended := func() { _ = conn.SetReadDeadline(time.Now().Add(lastRead)) }
	defer context.AfterFunc(ctx, ended)()
	r := bufio.NewReader(conn)
	for {
		if ctx.Err() == nil {
			_ = conn.SetReadDeadline(time.Now().Add(idleEnd))
			if ctx.Err() != nil {
				ended()
			}
		}
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxMessage {
			c.reject("long")
			return
		}
		var message bytes.Buffer // grows with what comes, and not with what was announced
		if _, err := io.CopyN(&message, r, int64(n)); err != nil {
			return
		}
		if err := c.takeMessage(message.Bytes()); err != nil {
			c.env.Log.Warn("a message of pickle is no list of figures, and its connection is closed", "from", conn.RemoteAddr().String(), "err", err)
			return
		}
	}
}
