package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"wxshop/wxpay/sim/console"
)

// How long a rotation of the platform certificate takes, in business time:
// first both certificates are listed and the old one signs, then the new one
// does, then the old one is listed no more.
const (
	rotationNotice = 24 * time.Hour
	rotationGrace  = 24 * time.Hour
)

// The steps of a rotation in the control API.
const (
	rotateStart  = "start"  // the new certificate is listed
	rotateSwitch = "switch" // it signs from now on
	rotateFinish = "finish" // the old one goes
	rotateNow    = "now"    // start and switch at once, without notice
)

// fileRotated holds the platform certificates once there was more than one.
const fileRotated = "platform.json"

// rotating reports whether a rotation is under way.
func rotating(certs []platformCert, now time.Time) bool {
	return slices.ContainsFunc(certs, func(c platformCert) bool { return c.Signs.After(now) || c.Gone.After(now) })
}

// holdRing returns the keys and keeps others from changing them until done.
func (ids *identity) holdRing() (ring *keyring, done func(), err error) {
	if _, err := ids.keyring(); err != nil { // which makes them under the same lock
		return nil, nil, err
	}
	ids.making.Lock()
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.ring, ids.making.Unlock, nil
}

// rotate takes a step of a rotation at business time now.
func (ids *identity) rotate(step string, now time.Time) error {
	ring, done, err := ids.holdRing()
	if err != nil {
		return err
	}
	defer done()
	certs, under := ring.listed(now), rotating(ring.platform, now)
	last := len(certs) - 1
	switch {
	case step == rotateStart && !under, step == rotateNow && !under:
		if certs, err = ids.addCertificate(certs, now); err != nil {
			return err
		}
		if step == rotateNow {
			turnOver(certs, now)
		}
	case step == rotateSwitch && certs[last].Signs.After(now):
		turnOver(certs, now)
	case step == rotateFinish && under && !certs[last].Signs.After(now):
		certs = certs[last:]
	case step == rotateStart || step == rotateNow:
		return conflict("a rotation is under way; finish it first, or advance the clock by two days")
	case step == rotateSwitch || step == rotateFinish:
		return conflict("there is no rotation of which this would be the next step; the steps are start, switch, finish")
	default:
		return badRequest("rotate must be start, switch, finish or now")
	}
	return ids.keepRing(&keyring{merchant: ring.merchant, public: ring.public, platform: certs})
}

// turnOver lets the newest certificate sign.
func turnOver(certs []platformCert, now time.Time) {
	last := len(certs) - 1
	certs[last].Signs = now
	for i := range certs[:last] {
		certs[i].Gone = now.Add(rotationGrace)
	}
}

// addCertificate adds a certificate that signs after the notice. ids.making is held.
func (ids *identity) addCertificate(certs []platformCert, now time.Time) ([]platformCert, error) {
	number := certs[len(certs)-1].Number + 1
	serial := newSerial()
	made, err := ids.makePair(keyPlatform+number, serial, platformName)
	if err != nil {
		return nil, fmt.Errorf("make platform certificate: %w", err)
	}
	next := platformCert{Number: number, Serial: serial, PrivateKey: made.key, Certificate: made.cert, Signs: now.Add(rotationNotice)}
	if err := next.parse(); err != nil {
		return nil, err
	}
	out := slices.Clone(certs)
	for i := range out {
		out[i].Gone = next.Signs.Add(rotationGrace)
	}
	return append(out, next), nil
}

// keepRing writes changed platform certificates down and uses them.
func (ids *identity) keepRing(ring *keyring) error {
	text, err := json.MarshalIndent(ring.platform, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", fileRotated, err)
	}
	if err := ids.writeFile(fileRotated, string(text)+"\n"); err != nil {
		return err
	}
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.rotated, ids.ring = ring.platform, ring
	return nil
}

// endRotation keeps the certificate that signs at business time now, from
// whenever on: business time may go back after it.
func (ids *identity) endRotation(now time.Time) error {
	ids.mu.Lock()
	untouched := ids.rotated == nil
	ids.mu.Unlock()
	if untouched {
		return nil
	}
	ring, done, err := ids.holdRing()
	if err != nil {
		return err
	}
	defer done()
	last := ring.signing(now)
	last.Signs, last.Gone = time.Time{}, time.Time{}
	return ids.keepRing(&keyring{merchant: ring.merchant, public: ring.public, platform: []platformCert{last}})
}

// readRotated reads the certificates of a former run, if they were rotated.
func (ids *identity) readRotated() error {
	text, err := ids.readFile(fileRotated)
	if err != nil || text == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), &ids.rotated); err != nil || len(ids.rotated) == 0 {
		return fmt.Errorf("read %s: %v; delete it to go back to the first certificate", fileRotated, err)
	}
	return nil
}

// setAPIv3Key changes the key that seals notifications and certificates.
func (ids *identity) setAPIv3Key(key string) error {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	changed := ids.id
	changed.APIv3Key = key
	if err := ids.writeCredentials(changed); err != nil {
		return err
	}
	ids.id.APIv3Key = key
	return nil
}

// rotate takes a step and tells the timeline.
func (s *Sim) rotate(step string) error {
	if s.ids.view().KeyMode == modePublicKey {
		return conflict(`key_mode is public_key: there is no platform certificate to rotate; PUT /_sim/api/account {"key_mode":"certificate"} first`)
	}
	if err := s.ids.rotate(step, s.clock.Now()); err != nil {
		return err
	}
	s.log.Info("platform certificate rotated", "op", step)
	s.timelineKeys("平台证书轮换：" + step)
	return nil
}

func (s *Sim) timelineKeys(what string) {
	s.events.add(happening{entry: console.Entry{Direction: console.Tick, Title: what}})
}

// rotateByFault lets a new platform certificate sign without notice, while the
// old one stays listed for a day. It is asked for only where it would show.
func (s *Sim) rotateByFault(ring *keyring) {
	if rotating(ring.platform, s.clock.Now()) || !s.faultFires(faultKeyRotation, "") {
		return
	}
	if err := s.rotate(rotateNow); err != nil && statusOf(err) != http.StatusConflict { // somebody was quicker
		s.log.Error("platform certificate not rotated", "err", err)
	}
}

// keysJSON is GET /_sim/api/keys: what changes about keys while running.
type keysJSON struct {
	KeyMode  string     `json:"key_mode"`
	APIv3Key string     `json:"api_v3_key"`
	Platform []certJSON `json:"platform"` // newest first
}

// certJSON is a platform certificate that is listed.
type certJSON struct {
	SerialNo    string `json:"serial_no"`
	State       string `json:"state"` // next, signing, old
	Certificate string `json:"certificate"`
	SignsAt     stamp  `json:"signs_at"` // null: from the beginning
	GoneAt      stamp  `json:"gone_at"`  // null: not foreseen
}

func (s *Sim) keysView() (keysJSON, error) {
	ring, err := s.ids.keyring()
	if err != nil {
		return keysJSON{}, err
	}
	now, id := s.clock.Now(), s.ids.view()
	v := keysJSON{KeyMode: id.KeyMode, APIv3Key: id.APIv3Key, Platform: []certJSON{}}
	if s.opts.Public {
		v.APIv3Key = ""
	}
	signing := ring.signing(now).Serial
	for _, c := range slices.Backward(ring.listed(now)) {
		state := "old"
		switch {
		case c.Serial == signing:
			state = "signing"
		case c.Signs.After(now):
			state = "next"
		}
		v.Platform = append(v.Platform, certJSON{c.Serial, state, c.Certificate, stamp(c.Signs), stamp(c.Gone)})
	}
	return v, nil
}

var apiKeyForm = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// nextKey makes the simulator choose an APIv3 key.
const nextKey = "next"

// apiSetKeys changes keys while running: {"rotate": step} and {"api_v3_key":
// the new one, or "next"}, as on the merchant portal.
func (s *Sim) apiSetKeys(r *http.Request) (any, error) {
	var in struct {
		Rotate   string `json:"rotate"`
		APIv3Key string `json:"api_v3_key"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.setKeys(in.Rotate, in.APIv3Key); err != nil {
		return nil, err
	}
	return s.keysView()
}

// setKeys takes a step of a rotation, or changes the APIv3 key.
func (s *Sim) setKeys(step, key string) error {
	switch {
	case step == "" && key == "":
		return badRequest(`say {"rotate":"start"}, or {"api_v3_key":"…32 letters and digits…"}, or {"api_v3_key":"next"} to have one chosen`)
	case key != "" && key != nextKey && !apiKeyForm.MatchString(key):
		return badRequest("api_v3_key must have 32 letters and digits")
	}
	if step != "" {
		if err := s.rotate(step); err != nil {
			return err
		}
	}
	if key == nextKey {
		key = secret(alphanum, 32)
	}
	if key != "" {
		if err := s.ids.setAPIv3Key(key); err != nil {
			return err
		}
		s.timelineKeys("APIv3 密钥换了")
	}
	return nil
}

// newSerial is the number of a certificate: 40 hexadecimal digits, of which
// the first is not zero, because programs disagree about that.
func newSerial() string { return "7" + strings.ToUpper(secret(lowerHex, 39)) }
