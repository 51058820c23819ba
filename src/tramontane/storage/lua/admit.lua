-- Counts one request of a workspace and model, if its limits let it through. `limits/window.py` says what is right.
--
-- KEYS  1 times of the minute's requests   2 the minute's charges, "time tokens total"   3 tokens of the month
-- ARGV  1 now, or "" for this server's time   2 requests a minute   3 burst   4 span of the burst
--       5 tokens a minute   6 tokens a month   7 tokens of the month so far, if it is not known here
--       Times are microseconds. A limit that is not set is "".
-- Returns {status, now, requests, tokens, tokens of the month, wait of requests, wait of tokens}
--       status: 0 admitted, 1 not now, 2 the tokens of the month are spent, 3 they are not known: say them

local REQUESTS, CHARGES, MONTH = KEYS[1], KEYS[2], KEYS[3]
local per_minute, burst, span = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local token_limit, month_limit = tonumber(ARGV[5]), tonumber(ARGV[6])

-- A clock that was set back a little stands still until it has caught up; set back by more, all is forgotten.
local real_now = clock(ARGV[1])
local now = math.max(real_now, tonumber(redis.call('LINDEX', REQUESTS, -1) or 0), charge_at(CHARGES, -1) or 0)
if now > real_now + MINUTE then
  redis.call('DEL', REQUESTS, CHARGES)
  now = real_now
end

local month_tokens = 0
if month_limit then
  if ARGV[7] ~= '' then
    redis.call('SET', MONTH, ARGV[7], 'NX')
  end
  month_tokens = tonumber(redis.call('GET', MONTH) or '')
  if not month_tokens then
    return {3, now, 0, 0, 0, 0, 0}
  end
  redis.call('PEXPIRE', MONTH, MINUTE / 1000)
end

local horizon = now - MINUTE
while tonumber(redis.call('LINDEX', REQUESTS, 0) or now) <= horizon do
  redis.call('LPOP', REQUESTS)
end
while (charge_at(CHARGES, 0) or now) <= horizon do
  redis.call('LPOP', CHARGES)
end

local requests = redis.call('LLEN', REQUESTS)
local requests_wait = 0
if per_minute then
  if requests >= burst then
    requests_wait = redis.call('LINDEX', REQUESTS, -burst) + span - now
  end
  if requests >= per_minute then
    requests_wait = math.max(requests_wait, redis.call('LINDEX', REQUESTS, -per_minute) + MINUTE - now)
  end
  requests_wait = math.max(requests_wait, 0)
end

local _, first_tokens, first_total = charge_at(CHARGES, 0)
local _, _, last_total = charge_at(CHARGES, -1)
local forgotten = first_total and first_total - first_tokens or 0
local tokens = last_total and last_total - forgotten or 0
local tokens_wait = 0
if token_limit and tokens >= token_limit then
  -- The first charge with whose end the rest is below the limit; totals only grow.
  local low, high = 0, redis.call('LLEN', CHARGES) - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local _, _, total = charge_at(CHARGES, middle)
    if last_total - total < token_limit then high = middle else low = middle + 1 end
  end
  tokens_wait = charge_at(CHARGES, low) + MINUTE - now
end

local status = 0
if month_limit and month_tokens >= month_limit then
  status = 2
elseif requests_wait > 0 or tokens_wait > 0 then
  status = 1
elseif per_minute then
  requests = redis.call('RPUSH', REQUESTS, integer(now))
  redis.call('PEXPIRE', REQUESTS, MINUTE / 1000)
end
-- What is waited for is the real clock.
local behind = now - real_now
if requests_wait > 0 then requests_wait = requests_wait + behind end
if tokens_wait > 0 then tokens_wait = tokens_wait + behind end
return {status, now, requests, tokens, month_tokens, requests_wait, tokens_wait}
