-- SPDX-License-Identifier: Apache-2.0
-- Turns the option --membroker of a job into the GRES "membroker", in bytes on each node. Slurm then schedules the number
-- that the prolog reserves: both are read from the same variable, which the SPANK plugin sets.
-- A site that has a job_submit.lua calls membroker_job_submit() and membroker_job_modify() from its own.

local VARIABLE = "MEMBROKER_BYTES="
local GRES_FIELDS = {"gres", "tres_per_node", "tres_per_job", "tres_per_socket", "tres_per_task"}

local function refuse(text)
    slurm.log_user("membroker: %s", text)
    return slurm.ERROR
end

local function names_membroker(text)
    if type(text) ~= "string" then
        return false
    end
    for entry in text:gmatch("[^,]+") do
        if entry:lower():gsub("^%s*gres[:/]", ""):match("^%s*membroker%f[^%w_]") then
            return true
        end
    end
    return false
end

local function asks_by_hand(request)
    for _, field in ipairs(GRES_FIELDS) do
        if names_membroker(request[field]) then
            return true
        end
    end
    return false
end

-- The largest that Slurm counts. Numbers of Lua 5.1 and 5.2 are not exact here.
local LARGEST = "9223372036854775807"

local function is_size(digits)
    return digits:match("^[1-9]%d*$") and (#digits < #LARGEST or (#digits == #LARGEST and digits <= LARGEST))
end

-- The digits, or nil; and whether the variable is there at all. Clients can send whatever they like. slurmd puts SPANK_ before
-- the names that do not begin so: one that does would reach the prolog as the same variable.
local function bytes_of(environment)
    local found, count = nil, 0
    for _, entry in pairs(environment or {}) do
        if entry:sub(1, #VARIABLE) == VARIABLE then
            found, count = entry:sub(#VARIABLE + 1), count + 1
        elseif entry:gsub("^SPANK_", ""):match("^[%s_]*MEMBROKER_") then
            count = count + 2
        end
    end
    if count == 1 and is_size(found) then
        return found, true
    end
    return nil, count > 0
end

-- Each step of a job takes all of its GRES, and a second one waits for them. The kernel counts what the steps use, so they
-- need none of this one. Jobs with other GRES keep Slurm's rule, which is all or nothing. Only batch jobs, which have a script,
-- have an environment here; slurmctld logs an error if the one of another job is read.
local function share_among_steps(request, others)
    if not request.script then
        return
    end
    for _, field in ipairs(GRES_FIELDS) do
        if field ~= "gres" and field ~= "tres_per_node" and (request[field] or "") ~= "" then
            return
        end
    end
    if (others or "") == "" and request.environment and (request.environment.SLURM_STEP_GRES or "") == "" then
        request.environment.SLURM_STEP_GRES = "none"
    end
end

function membroker_job_submit(request)
    if asks_by_hand(request) then
        return refuse("write --membroker=SIZE, not --gres=membroker: it sets the GRES too")
    end
    local bytes, is_there = bytes_of(request.spank_job_env)
    if is_there and not bytes then
        return refuse("the size that the client sent is not a number of bytes")
    end
    if bytes then
        local gres = "gres:membroker:" .. bytes
        local others = request.tres_per_node
        request.tres_per_node = (others and others ~= "") and (others .. "," .. gres) or gres
        share_among_steps(request, others)
    end
    return slurm.SUCCESS
end

-- A change would set the number that is scheduled apart from the number that is reserved.
function membroker_job_modify(request, job)
    if asks_by_hand(request) then
        return refuse("a job's reservation can't be changed; submit the job again with another --membroker")
    end
    if request.tres_per_node and names_membroker(job.tres_per_node or job.gres) then
        return refuse("the GRES of a job with --membroker can't be changed; submit the job again")
    end
    return slurm.SUCCESS
end

function slurm_job_submit(request, partitions, user)
    return membroker_job_submit(request)
end

function slurm_job_modify(request, job, partitions, user)
    return membroker_job_modify(request, job)
end

return slurm.SUCCESS
