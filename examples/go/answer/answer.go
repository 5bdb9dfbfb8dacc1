// Package answer says hello, and which request it was.
package answer

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"

	"github.com/google/uuid"
)

//go:embed greeting.txt
var greeting string

// New gives what answers requests.
func New(version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"hello":   strings.TrimSpace(greeting),
			"path":    r.URL.Path,
			"request": uuid.NewString(),
			"go":      runtime.Version(),
			"version": version,
		})
	})
}
