package sim

import (
	crand "crypto/rand"
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// chance returns the n-th stream of random numbers of a purpose. The same
// seed, purpose and n give the same stream, so that a day can be repeated.
// Nothing secret is drawn from it.
func chance(seed int64, purpose string, n uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(uint64(seed)^h.Sum64(), n))
}

// draws counts how often chance was asked for each purpose, so that what
// happens at the same time does not take each other's numbers.
type draws struct {
	mu    sync.Mutex
	asked map[string]uint64
}

func (d *draws) next(purpose string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil {
		d.asked = map[string]uint64{}
	}
	d.asked[purpose]++
	return d.asked[purpose]
}

// freshSeed picks a seed that is easy to read aloud and type in again.
func freshSeed() int64 {
	var b [8]byte
	crand.Read(b[:])
	return int64(binary.LittleEndian.Uint64(b[:])%999_999_999) + 1
}

const (
	digits   = "0123456789"
	lowerHex = "0123456789abcdef"
	alphanum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// pick draws n characters of an alphabet.
func pick(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// secret draws n characters of an alphabet of at most 256 that nobody can guess.
func secret(alphabet string, n int) string {
	out := make([]byte, 0, n)
	limit := byte(256/len(alphabet)*len(alphabet) - 1) // no character is likelier than another
	for len(out) < n {
		var b [64]byte
		crand.Read(b[:])
		for _, c := range b {
			if c <= limit && len(out) < n {
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}
