# The peer: Varnish, whose module asks Redis for each request from the thread that serves it, and waits. It counts as
# nginx+Lua does, by the user that the request names, then answers (/incr) or proxies (all else). It authenticates none.
vcl 4.1;
import redis;
import std;

backend api { .host = "127.0.0.1"; .port = "@UPSTREAM@"; }

sub vcl_init {
  new counter = redis.db(location = "127.0.0.1:@REDIS@", shared_connections = false, max_connections = 1);
}

sub vcl_recv {
  counter.command("EVALSHA");
  counter.push("@SCRIPT@");
  counter.push("2");
  counter.push("minute:{" + req.http.X-User + "}:" + std.time2integer(now, 0) / 60);
  counter.push("calls:{" + req.http.X-User + "}");
  counter.push("1000000000");
  counter.execute();
  if (!counter.reply_is_array()) { return (synth(500)); }
  if (counter.get_array_reply_value(0) == "0") { return (synth(429)); }
  if (req.url == "/incr") { return (synth(200)); }
  return (pass);
}

sub vcl_synth {
  set resp.body = "";
  return (deliver);
}
