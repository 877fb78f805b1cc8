package queue

// OpenNamed opens a queue as if its filesystem had no files without names.
func OpenNamed(dir string) (*Queue, error) {
	q, err := Open(dir)
	if err == nil {
		q.named.Store(true)
	}
	return q, err
}
