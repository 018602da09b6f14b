package handlers

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id (security A1): memory in KiB, passes, lanes, and the
// lengths of salt and tag in bytes.
const (
	argonMemory  = 19456
	argonTime    = 2
	argonLanes   = 1
	argonSaltLen = 16
	argonTagLen  = 32
)

// Limits of work on passwords: so many at once, and how long one waits for its
// turn. Each takes argonMemory of memory, so a flood of sign-ins must queue.
const (
	hashesAtOnce = 4
	hashWait     = 2 * time.Second
)

// errBusyHashing is answered with 503 and Retry-After.
var errBusyHashing = errors.New("too many passwords are being checked")

// HashPassword makes the PHC string of a password that CheckPassword has
// passed: "$argon2id$v=19$m=19456,t=2,p=1$salt$tag". The password is used
// exactly as typed.
func HashPassword(password string) (string, error) {
	salt := make([]byte, argonSaltLen)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("salt of a password: %w", err)
	}
	tag := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonTagLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonLanes, b64.EncodeToString(salt), b64.EncodeToString(tag)), nil
}

// VerifyPassword compares a password with a PHC string of argon2id. With weak
// set, the string was made with lesser parameters than ours and should be made
// anew. A string that cannot be read is an error and never a match.
func VerifyPassword(phc, password string) (ok, weak bool, err error) {
	p, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	got := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.lanes, uint32(len(p.tag)))
	weak = p.memory < argonMemory || p.time < argonTime || len(p.salt) < argonSaltLen
	return subtle.ConstantTimeCompare(got, p.tag) == 1, weak, nil
}

type phcHash struct {
	memory, time uint32
	lanes        uint8
	salt, tag    []byte
}

// parsePHC reads a PHC string. The upper bounds keep a broken row from taking
// all memory.
func parsePHC(s string) (phcHash, error) {
	var p phcHash
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errors.New("a stored password is no PHC string of argon2id")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil {
		return p, fmt.Errorf("parameters of a stored password: %w", err)
	}
	if p.memory < 8 || p.memory > 1<<20 || p.time < 1 || p.time > 20 || p.lanes < 1 || p.lanes > 16 {
		return p, errors.New("parameters of a stored password are out of bounds")
	}
	var errSalt, errTag error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	p.tag, errTag = base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errTag != nil || len(p.salt) < 8 || len(p.tag) < argonTagLen || len(p.tag) > 64 {
		return p, errors.New("salt or tag of a stored password cannot be read")
	}
	return p, nil
}

// hasher lets a bounded number of people work on passwords at the same time.
type hasher struct{ slots chan struct{} }

func newHasher() *hasher { return &hasher{make(chan struct{}, hashesAtOnce)} }

// take waits for a turn, at most hashWait; the turn ends with done.
func (h *hasher) take(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-timer.C:
		return nil, errBusyHashing
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// verify is VerifyPassword in turn.
func (h *hasher) verify(ctx context.Context, phc, password string) (ok, weak bool, err error) {
	done, err := h.take(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	return VerifyPassword(phc, password)
}

// hash is HashPassword in turn.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return HashPassword(password)
}
