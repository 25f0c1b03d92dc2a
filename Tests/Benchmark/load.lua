-- What wrk sends: the requests of many users, with the same fields to every program.
--
-- usage: wrk ... -s load.lua URL -- CREDENTIALS ORDER [MEAN PAUSE IN MILLISECONDS] [close]
--
-- CREDENTIALS has a line '<user> <key or token>' for each. {user} in the URL's path is the user.
-- ORDER of the users: `in-turn`, one after the other; `uniform`, any; `zipf`, the nth 1/n times as often as the first.
-- With a pause above 0 every connection waits after each answer, any time between none and twice the mean, so that the
-- connections do not fall into step. With `close` each request is the only one of its connection.

local requests, places, position = {}, nil, 0
local next_place

-- Many users drawn beforehand: finding one takes longer than wrk needs for the whole rest of a request.
local DRAWN = 262144

local function draw_zipf(count)
  local sums, sum = {}, 0
  for rank = 1, count do
    sum = sum + 1 / rank
    sums[rank] = sum
  end
  local drawn = {}
  for index = 1, DRAWN do
    local wanted, first, last = math.random() * sum, 1, count
    while first < last do
      local middle = math.floor((first + last) / 2)
      if sums[middle] < wanted then first = middle + 1 else last = middle end
    end
    drawn[index] = first
  end
  return drawn
end

local orders = {
  ['in-turn'] = function()
    position = position % #requests + 1
    return position
  end,
  ['uniform'] = function() return math.random(#requests) end,
  ['zipf'] = function()
    position = position % DRAWN + 1
    return places[position]
  end,
}

local threads = {}

function setup(thread) threads[#threads + 1] = thread end

function init(arguments)
  math.randomseed(os.time())
  local path = wrk.path
  for line in io.lines(arguments[1]) do
    local user, credential = string.match(line, '^(%S+) (%S+)$')
    local fields = { ['Authorization'] = 'Bearer ' .. credential, ['X-User'] = user }
    if arguments[4] == 'close' then fields['Connection'] = 'close' end
    requests[#requests + 1] = wrk.format('GET', (string.gsub(path, '{user}', user)), fields)
  end
  next_place = orders[arguments[2]]
  if arguments[2] == 'zipf' then places = draw_zipf(#requests) end
  local pause = tonumber(arguments[3] or '0')
  if pause > 0 then
    function delay() return math.random() * 2 * pause + 0.5 end
  end
  ready = os.clock()
end

function request() return requests[next_place()] end

-- wrk counts latencies in whole microseconds, each of its own, so that no percentile is rounded, and adds those that it
-- would have seen had it not waited for a slow answer, as HdrHistogram does for a load of an expected interval.
function done(summary, latency)
  local errors = summary.errors
  local cpu = os.clock() - threads[#threads]:get('ready')
  print(table.concat({ 'result', summary.duration, summary.requests, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), cpu * 1e6, errors.status, errors.connect, errors.read, errors.write, errors.timeout },
    ' '))
end
