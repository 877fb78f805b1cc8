package replay

import (
	"io"
	"os"
)

// page is a piece of an image, in bytes.
const page = 4096

// An image is what is on a disk: its pages that are not empty, by number.
type image map[int64]*[page]byte

// readImage reads what is in a file.
func readImage(file *os.File) (image, error) {
	i := image{}
	for number := int64(0); ; number++ {
		p := new([page]byte)
		_, err := file.ReadAt(p[:], number*page)
		if err == io.EOF {
			return i, nil
		}
		if err != nil {
			return nil, err
		}
		if *p != [page]byte{} {
			i[number] = p
		}
	}
}

// write writes to the image.
func (i image) write(offset int64, data []byte) {
	for len(data) > 0 {
		p := i[offset/page]
		if p == nil {
			p = new([page]byte)
			i[offset/page] = p
		}
		n := copy(p[offset%page:], data)
		offset, data = offset+int64(n), data[n:]
	}
}

// clone returns another one that is the same.
func (i image) clone() image {
	c := image{}
	for number, p := range i {
		same := *p
		c[number] = &same
	}
	return c
}

// writeTo makes a file of a size the same as the image.
func (i image) writeTo(file *os.File, size int64) error {
	for _, length := range []int64{0, size} {
		if err := file.Truncate(length); err != nil {
			return err
		}
	}
	for number, p := range i {
		if _, err := file.WriteAt(p[:], number*page); err != nil {
			return err
		}
	}
	return nil
}
