-- Replaces what operators have decided of a user, if it is still what was read. An empty text stands for nothing.
local before = redis.call('HGET', KEYS[SUBSCRIPTION_KEY], 'operator') or ''
if before ~= ARGV[KNOWN] then return CHANGED_SINCE end
if ARGV[TERMS] == '' then
  redis.call('HDEL', KEYS[SUBSCRIPTION_KEY], 'operator')
else
  redis.call('HSET', KEYS[SUBSCRIPTION_KEY], 'operator', ARGV[TERMS])
end
return WRITTEN
