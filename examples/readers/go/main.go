// Print a person's list: go run . redis://127.0.0.1:6379/0 USER
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

type Entry struct {
	Item    string  `json:"item"`
	Score   float64 `json:"score"`
	Source  string  `json:"source"`
	Because string  `json:"because"`
}

var quote = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

// readList returns the person's items, best first; the trending ones if the person is unknown.
func readList(ctx context.Context, store *redis.Client, user string) ([]Entry, error) {
	found, err := store.Get(ctx, "ms:{"+quote.Replace(user)+"}:list").Bytes()
	if errors.Is(err, redis.Nil) {
		found, err = store.Get(ctx, "ms:trending").Bytes()
	}
	if errors.Is(err, redis.Nil) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var list struct{ Items []Entry }
	if err := json.Unmarshal(found, &list); err != nil || len(list.Items) == 0 {
		return nil, err
	}
	ids := make([]any, len(list.Items))
	for i, entry := range list.Items {
		ids[i] = entry.Item
	}
	hidden, err := store.SMIsMember(ctx, "ms:hidden", ids...).Result()
	if err != nil {
		return nil, err
	}
	shown := list.Items[:0]
	for i, entry := range list.Items {
		if !hidden[i] {
			shown = append(shown, entry)
		}
	}
	return shown, nil
}

func main() {
	options, err := redis.ParseURL(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	items, err := readList(context.Background(), redis.NewClient(options), os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range items {
		fmt.Println(entry.Item)
	}
}
