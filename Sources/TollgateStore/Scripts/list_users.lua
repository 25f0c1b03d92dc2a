-- A part of the index of users, those who called last first: what stands before a place in it, whether or not anything
-- stands at that place any more.
--
-- USERS_KEY users
-- SCORE, USER the place that is not told any more; a SCORE of '' for the end  COUNT at most
--
-- Reply: a user, the score, and so on; the last of the part first.

local key, score, user = KEYS[USERS_KEY], tonumber(ARGV[SCORE]), ARGV[USER]

-- As Redis orders members of one score: byte by byte. Lua's own order is that of a language.
local function is_before(one, other)
  for place = 1, math.min(#one, #other) do
    local left, right = string.byte(one, place), string.byte(other, place)
    if left ~= right then return left < right end
  end
  return #one < #other
end

-- The first rank that is not before the place.
local low, high = 0, redis.call('ZCARD', key)
if not score then low = high end
while low < high do
  local middle = math.floor((low + high) / 2)
  local there = redis.call('ZRANGE', key, middle, middle, 'WITHSCORES')
  local its_score = tonumber(there[2])
  if its_score < score or its_score == score and is_before(there[1], user) then
    low = middle + 1
  else
    high = middle
  end
end
if low == 0 then return {} end
return redis.call('ZRANGE', key, math.max(0, low - ARGV[COUNT]), low - 1, 'WITHSCORES')
