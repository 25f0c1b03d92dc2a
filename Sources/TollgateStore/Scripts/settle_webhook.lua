-- Ends a claim on a webhook event, if it is still ours: the event is done, or it is free for the next try.
--
-- KEYS[1] webhook:stripe:{event}
-- ARGV[1] token of this try             ARGV[2] now (ISO 8601) = done, '' = free again
-- ARGV[3] seconds to remember that it is done
--
-- Reply: 1 settled, 0 the lease had run out.

if redis.call('GET', KEYS[1]) ~= 'claimed ' .. ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return 1
