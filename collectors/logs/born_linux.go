package logs

import (
	"time"

	"golang.org/x/sys/unix"
)

// bornAfter says whether a file was made after a time. Not every file system knows.
func bornAfter(path string, at time.Time) bool {
	var st unix.Statx_t
	if at.IsZero() || unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st) != nil || st.Mask&unix.STATX_BTIME == 0 {
		return false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).After(at)
}
