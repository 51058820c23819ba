-- Counts the tokens that a request of a workspace and model really used. `limits/window.py` says what is right.
--
-- KEYS  1 the minute's charges, "time tokens total"   2 tokens of the month
-- ARGV  1 now, or "" for this server's time   2 tokens
-- Returns {tokens of the minute, tokens of the month}; those of a month that is not known here are 0

local CHARGES, MONTH = KEYS[1], KEYS[2]
local tokens = tonumber(ARGV[2])

local real_now = clock(ARGV[1])
local now = math.max(real_now, charge_at(CHARGES, -1) or 0)
if now > real_now + MINUTE then
  redis.call('DEL', CHARGES)
  now = real_now
end

local _, _, total = charge_at(CHARGES, -1)
total = (total or 0) + tokens
redis.call('RPUSH', CHARGES, integer(now) .. ' ' .. integer(tokens) .. ' ' .. integer(total))
redis.call('PEXPIRE', CHARGES, MINUTE / 1000)
while charge_at(CHARGES, 0) <= now - MINUTE do
  redis.call('LPOP', CHARGES)
end

local month_tokens = 0
if redis.call('EXISTS', MONTH) == 1 then
  month_tokens = redis.call('INCRBY', MONTH, integer(tokens))
  redis.call('PEXPIRE', MONTH, MINUTE / 1000)
end
local _, first_tokens, first_total = charge_at(CHARGES, 0)
return {total - first_total + first_tokens, month_tokens}
