package sim

import (
	"errors"
	"fmt"
	"net/http"
)

// apiError is an answer of the control API other than 200: what is wrong and
// what to do.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &apiError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &apiError{http.StatusConflict, fmt.Sprintf(format, args...)}
}

// notYet is for what the interface promises and this version does not have.
func notYet(format string, args ...any) error {
	return &apiError{http.StatusNotImplemented, fmt.Sprintf(format, args...)}
}

// statusOf is the HTTP status of an error; what nobody foresaw is 500.
func statusOf(err error) int {
	var api *apiError
	var refused *payRefusal
	switch {
	case errors.As(err, &api):
		return api.status
	case errors.As(err, &refused), errors.Is(err, errForgotten):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}
