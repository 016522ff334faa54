// SPDX-License-Identifier: BSD-2-Clause

// Asks a model server over Go's crypto/tls, each time from a new goroutine, and prints the status of
// each answer.  Every second answer is streamed.
//
//	client BASE-URL CA-FILE COUNT PROMPT
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

func ask(client *http.Client, stream bool) (string, error) {
	body, err := json.Marshal(map[string]interface{}{
		"model": "claude-sonnet-4-5", "max_tokens": 256, "stream": stream,
		"messages": []map[string]string{{"role": "user", "content": os.Args[4]}},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest("POST", os.Args[1]+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-api-key", os.Getenv("ANTHROPIC_API_KEY"))
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Status, err
}

func main() {
	pem, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	done := make(chan bool)
	for i := 0; i < count; i++ {
		go func() {
			status, err := ask(client, i%2 == 0)
			fmt.Println(status, err)
			done <- true
		}()
		<-done
	}
	client.CloseIdleConnections()
}
