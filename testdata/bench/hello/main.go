// Command hello is the least that a shop of our libraries can be: one table,
// one page. make bench compares our start and our memory with it.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
)

type greeting struct {
	ID   int64
	Text string
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, addr string) error {
	gin.SetMode(gin.ReleaseMode)
	db, err := gorm.Open(sqlite.Open(file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"), &gorm.Config{})
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&greeting{}); err != nil {
		return err
	}
	r := gin.New()
	r.GET("/", func(c *gin.Context) {
		var n int64
		if err := db.Model(&greeting{}).Count(&n).Error; err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.Header("Content-Type", "text/html; charset=utf-8")
		page := "<!DOCTYPE html><p>" + templ.EscapeString(fmt.Sprintf("hello, %d", n))
		_, _ = c.Writer.WriteString(page)
	})
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return http.Serve(l, r)
}
