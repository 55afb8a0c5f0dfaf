package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// image reads a bbolt file page by page, by plain reads. It maps nothing and trusts nothing, so a file that is cut short,
// full of noise or on a disk that cannot be read gives errors: bbolt itself panics on such pages, and the kernel ends a
// process that reads a mapping past the end of its file.
// Source: go.etcd.io/bbolt v1.5.0, internal/common (page.go, meta.go, bucket.go), read 30 November 2026.
type image struct {
	r    io.ReaderAt
	size int64 // of the file, bytes
	page int64 // bytes
	root uint64
	free uint64 // page of the freelist
	end  uint64 // the first page number that was never used

	seen []uint64 // a bit for each page that the walk came by
	bufs [][]byte // by depth
}

// The layout of pages.
const (
	headSize   = 16 // of a page: number 8, flags 2, elements 2, overflow pages 4
	elemSize   = 16
	bucketSize = 16 // of a bucket's value: root page 8, sequence 8

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	elemBucket   = 0x01

	metaMagic  = 0xED0CDAED
	metaLayout = 2
	noFreelist = 1<<64 - 1

	maxDepth = 32
	maxFile  = 1 << 36 // bytes; a ledger is a thousandth of it
	maxScan  = 1 << 29 // bytes that are looked at for records, where a damaged file says to be longer: pages wait for it
)

// What can be wrong with an image.
var (
	errNoMeta  = errors.New("it is no ledger: neither of its two heads is sound")
	errOneMeta = errors.New("one of its two heads is damaged")
	errCut     = errors.New("it is cut short")
)

// openImage reads the newest sound head of a file. With an error the image can still be scanned.
func openImage(r io.ReaderAt, size int64) (*image, error) {
	m := &image{r: r, size: size, page: int64(os.Getpagesize())}
	var newest uint64
	found := 0
	for _, at := range metaPlaces(size) {
		var b [headSize + 64]byte
		if _, err := r.ReadAt(b[:], at); err != nil {
			continue
		}
		page, root, free, end, tx, ok := parseMeta(b[headSize:])
		if !ok || at != 0 && at != page {
			continue
		}
		if found++; found > 1 && tx <= newest {
			continue
		}
		newest = tx
		m.page, m.root, m.free, m.end = page, root, free, end
	}
	switch {
	case found == 0:
		return m, errNoMeta
	case found == 1: // the other may have been the newer: records of the last write hang on neither
		return m, errOneMeta
	case m.end > uint64(size/m.page):
		return m, fmt.Errorf("%w: %d bytes are left of %d", errCut, size, int64(m.end)*m.page)
	}
	return m, nil
}

// metaPlaces are the offsets at which a head may stand: the first page, and the second of any size of page.
func metaPlaces(size int64) []int64 {
	places := []int64{0}
	for at := int64(1 << 10); at <= 64<<10 && at < size; at <<= 1 {
		places = append(places, at)
	}
	return places
}

func parseMeta(b []byte) (page int64, root, free, end, tx uint64, ok bool) {
	le := binary.LittleEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56]) // it never errs
	size := le.Uint32(b[8:])
	ok = le.Uint32(b) == metaMagic && le.Uint32(b[4:]) == metaLayout && sum.Sum64() == le.Uint64(b[56:]) &&
		size >= 1<<10 && size <= 64<<10 && size&(size-1) == 0
	end = le.Uint64(b[40:])
	return int64(size), le.Uint64(b[16:]), le.Uint64(b[32:]), end, le.Uint64(b[48:]), ok && end < maxFile/uint64(max(size, 1))
}

// check walks the whole file and returns what is wrong with it.
func (m *image) check() error {
	err := m.walk(func(_, _, _ []byte) {})
	return errors.Join(err, m.checkFree())
}

// walk calls each with all records of the newest state, by bucket. It goes on where a page is broken, and returns what it
// met. The slices are valid during the call alone.
func (m *image) walk(each func(bucket, k, v []byte)) error {
	m.seen = make([]uint64, m.end/64+1)
	return m.walkPage(m.root, 0, nil, each)
}

func (m *image) walkPage(id uint64, depth int, bucket []byte, each func(bucket, k, v []byte)) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d: the tree is too deep", id)
	}
	b, err := m.read(id, depth)
	if err != nil {
		return err
	}
	if err := m.visit(id, uint64(len(b))/uint64(m.page)); err != nil {
		return err
	}
	return m.walkElems(b, id, depth, bucket, each)
}

// walkElems does one page, which may stand within the value of a bucket.
func (m *image) walkElems(b []byte, id uint64, depth int, bucket []byte, each func(bucket, k, v []byte)) error {
	var errs []error
	var last []byte
	err := elements(b, func(e element) {
		if last != nil && bytes.Compare(last, e.key) >= 0 {
			errs = append(errs, fmt.Errorf("page %d: keys are out of order", id))
		}
		last = e.key
		switch {
		case e.branch:
			errs = append(errs, m.walkPage(e.child, depth+1, bucket, each))
		case e.flags&elemBucket == 0:
			each(bucket, e.key, e.value)
		case len(e.value) < bucketSize:
			errs = append(errs, fmt.Errorf("page %d: a bucket has no root", id))
		default:
			if root := binary.LittleEndian.Uint64(e.value); root != 0 {
				errs = append(errs, m.walkPage(root, depth+1, e.key, each))
			} else {
				errs = append(errs, m.walkElems(e.value[bucketSize:], id, depth+1, e.key, each))
			}
		}
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("page %d: %w", id, err))
	}
	return errors.Join(errs...)
}

// visit notes that n pages from id are used, once.
func (m *image) visit(id, n uint64) error {
	for p := id; p < id+n; p++ {
		if m.seen[p/64]&(1<<(p%64)) != 0 {
			return fmt.Errorf("page %d is used twice", p)
		}
		m.seen[p/64] |= 1 << (p % 64)
	}
	return nil
}

// read returns a page with those that it flows over into.
func (m *image) read(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= m.end {
		return nil, fmt.Errorf("page %d is none", id)
	}
	for len(m.bufs) <= depth {
		m.bufs = append(m.bufs, nil)
	}
	b := append(m.bufs[depth][:0], make([]byte, m.page)...)
	m.bufs[depth] = b
	if _, err := m.r.ReadAt(b, int64(id)*m.page); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := binary.LittleEndian.Uint64(b); got != id {
		return nil, fmt.Errorf("page %d says that it is page %d", id, got)
	}
	over := uint64(binary.LittleEndian.Uint32(b[12:]))
	if id+over >= m.end {
		return nil, fmt.Errorf("page %d flows over the end", id)
	}
	if over > 0 {
		b = append(b, make([]byte, int64(over)*m.page)...)
		m.bufs[depth] = b
		if _, err := m.r.ReadAt(b[m.page:], int64(id+1)*m.page); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return b, nil
}

// element is one of a page: of a branch, a key and a child; of a leaf, a key and a value.
type element struct {
	branch     bool
	flags      uint32
	child      uint64
	key, value []byte
}

// elements calls each with those of a page that is in b. It ends at the first that does not fit into b.
func elements(b []byte, each func(element)) error {
	le := binary.LittleEndian
	if len(b) < headSize {
		return errors.New("a page without a head")
	}
	flags, count := le.Uint16(b[8:]), int(le.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf {
		return fmt.Errorf("neither leaf nor branch, flags %#x", flags)
	}
	for i := range count {
		at := uint64(headSize + i*elemSize)
		if at+elemSize > uint64(len(b)) {
			return errors.New("more elements than fit")
		}
		e := element{branch: flags == flagBranch}
		raw := b[at : at+elemSize]
		pos, ksize, vsize := uint64(0), uint64(0), uint64(0)
		if e.branch {
			pos, ksize, e.child = uint64(le.Uint32(raw)), uint64(le.Uint32(raw[4:])), le.Uint64(raw[8:])
		} else {
			e.flags, pos, ksize, vsize = le.Uint32(raw), uint64(le.Uint32(raw[4:])), uint64(le.Uint32(raw[8:])), uint64(le.Uint32(raw[12:]))
		}
		from := at + pos
		if from+ksize+vsize > uint64(len(b)) {
			return errors.New("an element outside of its page")
		}
		e.key, e.value = b[from:from+ksize], b[from+ksize:from+ksize+vsize]
		each(e)
	}
	return nil
}

// checkFree sees that no page is both used and free, which would be written over. It comes after walk.
func (m *image) checkFree() error {
	if m.free == noFreelist || m.seen == nil {
		return nil
	}
	b, err := m.read(m.free, 0)
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	le := binary.LittleEndian
	if le.Uint16(b[8:]) != flagFreelist {
		return errors.New("the list of free pages is none")
	}
	list, count := b[headSize:], uint64(le.Uint16(b[10:]))
	if count == 0xFFFF && len(list) >= 8 {
		count, list = le.Uint64(list), list[8:]
	}
	if count > uint64(len(list))/8 {
		return errors.New("the list of free pages is longer than its page")
	}
	if err := m.visit(m.free, uint64(len(b))/uint64(m.page)); err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	for i := range count {
		id := le.Uint64(list[8*i:])
		if id < 2 || id >= m.end {
			return fmt.Errorf("page %d is free and none", id)
		}
		if err := m.visit(id, 1); err != nil {
			return fmt.Errorf("free: %w", err)
		}
	}
	return nil
}

// freePages is how many pages nobody uses; it comes after walk.
func (m *image) freePages() uint64 {
	used := uint64(0)
	for _, w := range m.seen {
		for ; w != 0; w &= w - 1 {
			used++
		}
	}
	return m.end - min(m.end, used)
}
