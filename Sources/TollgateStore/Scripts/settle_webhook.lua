-- Ends a claim on a webhook event, if it is still ours: the event is done, or it is free for the next try.
--
-- EVENT_KEY webhook:stripe:{event}
-- Names are those of SettleWebhookSignature.
--
-- Reply: the outcome.

if redis.call('GET', KEYS[EVENT_KEY]) ~= 'claimed ' .. ARGV[TOKEN] then return LEASE_RUN_OUT end
if ARGV[DONE_AT] == '' then
  redis.call('DEL', KEYS[EVENT_KEY])
else
  redis.call('SET', KEYS[EVENT_KEY], ARGV[DONE_AT], 'EX', ARGV[KEPT_SECONDS])
end
return SETTLED
