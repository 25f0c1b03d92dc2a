-- Writes all that a user has bought, and the record that sums it up, unless something was written since they were read.
-- What is written is decided in Purchases.swift. FIELDS stands before it: the names of all fields of the record.
--
-- SUBSCRIPTION_KEY subscription:{user}  SUBSCRIPTIONS_KEY subscriptions:{user}
-- Names are those of WritePurchasesSignature. Behind the arguments stands the record, RECORD_WORDS words of field, value,
-- field, value, ..., and behind that the subscriptions in the same form.
--
-- Fields of the record that others have written beside ours stay, and so does the time that it has to live, if an operator
-- gave it one: a plan that is given until a day ends on that day.
--
-- The user's own customer stands among the subscriptions, in the field OWN_CUSTOMER_FIELD, and stays: another script writes it.
--
-- Reply: the outcome.

local found = redis.call('HMGET', KEYS[SUBSCRIPTION_KEY], 'plan', 'revision')
local revision = ''
if found[1] then
  -- As FieldCoding.revision reads it: what is no number is 0.
  local digits = string.match(found[2] or '', '^%d+$')
  revision = string.format('%.0f', digits and #digits <= 15 and digits or 0)
end
if revision ~= ARGV[REVISION] then return WRITTEN_SINCE end

local words = tonumber(ARGV[RECORD_WORDS])
if words > 0 then
  local said = {}
  for i = REST, REST + words - 1, 2 do said[ARGV[i]] = true end
  for _, field in ipairs(FIELDS) do
    if not said[field] then redis.call('HDEL', KEYS[SUBSCRIPTION_KEY], field) end
  end
  redis.call('HSET', KEYS[SUBSCRIPTION_KEY], unpack(ARGV, REST, REST + words - 1))
end
redis.call('HSET', KEYS[SUBSCRIPTION_KEY], 'revision', string.format('%.0f', (tonumber(revision) or 0) + 1))

local own = redis.call('HGET', KEYS[SUBSCRIPTIONS_KEY], ARGV[OWN_CUSTOMER_FIELD])
redis.call('DEL', KEYS[SUBSCRIPTIONS_KEY])
if own then redis.call('HSET', KEYS[SUBSCRIPTIONS_KEY], ARGV[OWN_CUSTOMER_FIELD], own) end
if #ARGV >= REST + words then redis.call('HSET', KEYS[SUBSCRIPTIONS_KEY], unpack(ARGV, REST + words)) end
return WRITTEN
