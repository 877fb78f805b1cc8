// Package errno puts the error of a system call into the words that qmail has
// for it. They stand in delivery reports, bounces and logs, where people search
// for them: qmail says "file does not exist" on every system, whatever its C
// library says.
package errno

import (
	"errors"
	"io/fs"
	"syscall"
)

// words are those of the original, for the errors whose words differ from
// Linux's own.
var words = map[syscall.Errno]string{
	syscall.EACCES:      "access denied",
	syscall.EAGAIN:      "temporary failure",
	syscall.EBADF:       "file descriptor not open",
	syscall.EBUSY:       "device busy",
	syscall.EDEADLK:     "operation would cause deadlock",
	syscall.EEXIST:      "file already exists",
	syscall.EFBIG:       "file too big",
	syscall.EHOSTDOWN:   "host down",
	syscall.EINPROGRESS: "operation in progress",
	syscall.ELOOP:       "symbolic link loop",
	syscall.EMFILE:      "process cannot open more files",
	syscall.ENETDOWN:    "network down",
	syscall.ENETUNREACH: "network unreachable",
	syscall.ENFILE:      "system cannot open more files",
	syscall.ENODEV:      "device does not support operation",
	syscall.ENOENT:      "file does not exist",
	syscall.ENOLINK:     "link severed",
	syscall.ENOMEM:      "out of memory",
	syscall.ENOSPC:      "out of disk space",
	syscall.ENOSYS:      "system call not available",
	syscall.ENOTTY:      "not a tty",
	syscall.ENXIO:       "device not configured",
	syscall.EPERM:       "permission denied",
	syscall.ESPIPE:      "unseekable descriptor",
	syscall.ESTALE:      "stale NFS file handle",
	syscall.ETIMEDOUT:   "timed out",
	syscall.ETXTBSY:     "text busy",
	syscall.EXDEV:       "cross-device link",
}

// Text returns the words for an error without the operation and the path that
// are wrapped around it: those for the system's error where there is one inside.
func Text(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	if text, ok := words[number]; ok {
		return text
	}
	return number.Error()
}
