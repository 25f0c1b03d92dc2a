-- Ends a reservation, once. values.lua and give_back.lua stand before it.
--
-- USAGE_KEY usage:{user}  RESERVATIONS_KEY reservations:{user}
-- CALL_KEY idempotency:{user}:{key}, or reservations:{user} again when there is none
-- Names are those of SettlementSignature. Arguments from STATUS on are there when repeats get the answer of the call.
--
-- The answers that are kept are members of idempotency:{user}:answers: '<bytes> <key>', by when they are forgotten.
--
-- Reply: the outcome.

local KEYS, ARGV, call = KEYS, ARGV, redis.call
local CALL_TTL_SECONDS = 86400

if ARGV[MEMBER] ~= '' then
  if call('ZREM', KEYS[RESERVATIONS_KEY], ARGV[MEMBER]) == 0 then return ENDED_BEFORE end
  if ARGV[OUTCOME] == 'giveBack' then
    give_back(KEYS[USAGE_KEY], ARGV[MEMBER])
    return ENDED
  end
end
if KEYS[CALL_KEY] == KEYS[RESERVATIONS_KEY] then return ENDED end

-- Its attempt may have been given up: a repeat is under way, or the call is remembered no more.
local attempt, state, forgotten_at = unpack(call('HMGET', KEYS[CALL_KEY], 'attempt', 'state', 'until'))
if attempt ~= ARGV[ID] or state ~= 'open' then return ARGV[MEMBER] ~= '' and ENDED or ENDED_BEFORE end
if ARGV[OUTCOME] == 'giveBack' then
  call('HSET', KEYS[CALL_KEY], 'state', 'failed')
  return ENDED
end
call('HSET', KEYS[CALL_KEY], 'state', 'finished')
if not ARGV[STATUS] or not forgotten_at then return ENDED end

local names = 'idempotency' .. string.sub(KEYS[USAGE_KEY], #'usage' + 1)
local answers, name = names .. ':answers', string.match(KEYS[CALL_KEY], '{([^{}]*)}$')
local count, bytes = 1, #ARGV[HEAD] + #ARGV[BODY]
local member = string.format('%.0f', bytes) .. ' ' .. name
local kept = {}
for _, other in ipairs(call('ZRANGE', answers, 0, -1)) do
  local size, of = string.match(other, '^(%d+) (%S+)$')
  if not size or of == name then
    call('ZREM', answers, other)
  else
    count, bytes = count + 1, bytes + tonumber(size)
    kept[#kept + 1] = { other, tonumber(size), of }
  end
end
for _, oldest in ipairs(kept) do
  if count <= tonumber(ARGV[MAXIMUM_ANSWERS]) and bytes <= tonumber(ARGV[MAXIMUM_BYTES]) then break end
  call('ZREM', answers, oldest[1])
  call('HDEL', names .. ':{' .. oldest[3] .. '}', 'status', 'head', 'body')
  count, bytes = count - 1, bytes - oldest[2]
end
call('HSET', KEYS[CALL_KEY], 'status', ARGV[STATUS], 'head', ARGV[HEAD], 'body', ARGV[BODY])
local score = string.gsub(forgotten_at, '%D', '')
call('ZADD', answers, score, member)
call('EXPIRE', answers, CALL_TTL_SECONDS)
return 1
