-- SPDX-License-Identifier: Apache-2.0
-- What job_submit.lua does with each request, without Slurm. The sizes of the table are those of users: the plugin reads
-- them, and what it sends is the request. Usage: lua test-submit.lua JOB_SUBMIT SIZES PLUGIN-SIZE PLUGIN
local said
slurm = {SUCCESS = 0, ERROR = -1, log_user = function(format, ...) said = format:format(...) end}
dofile(arg[1])
local failures = 0

local function expect(what, got, wanted)
    if got ~= wanted then
        print(("FAILED: %s: %s, not %s"):format(what, got, wanted))
        failures = failures + 1
    end
end

-- ---- sizes ----

local function submitted(...)
    local request = {spank_job_env = {...}, environment = {}, script = "#!/bin/sh"}
    return slurm_job_submit(request), request
end

local function check_size(text, wanted, sent)
    if wanted == "refused" then
        expect("the plugin's answer to " .. text, sent, "refused")
        if not text:match("^[1-9]%d*$") then -- which the plugin sends for another text
            expect("job_submit.lua's answer to " .. text, submitted("MEMBROKER_BYTES=" .. text), slurm.ERROR)
        end
        return
    end
    expect("the plugin's answer to " .. text, sent, "MEMBROKER_BYTES=" .. wanted)
    local result, request = submitted(sent, "OTHER=1")
    expect("job_submit.lua's answer to " .. sent, result, slurm.SUCCESS)
    expect("what is scheduled for " .. text, request.tres_per_node, "gres:membroker:" .. wanted)
    expect("steps of " .. text, request.environment.SLURM_STEP_GRES, "none")
end

local texts = {}
local answers = io.popen(("grep -v '^#' '%s' | cut -f 1 | '%s' '%s' 2>/dev/null"):format(arg[2], arg[3], arg[4]))
for line in io.lines(arg[2]) do
    if line:sub(1, 1) ~= "#" then
        local text, wanted = line:match("^([^\t]*)\t(.*)$")
        check_size(text, wanted, answers:read())
        texts[text] = true
    end
end
expect("the plugin's answers", answers:read(), nil)
expect("the table", texts["16GB"] and texts["16384P"] and texts["1.5G"], true)

-- what the plugin never sends
for _, text in ipairs {"01", "1\n", "1 ", " 1", "9223372036854775808", "10000000000000000000"} do
    expect("the bytes " .. text, submitted("MEMBROKER_BYTES=" .. text), slurm.ERROR)
end
for _, environment in ipairs {
    {"MEMBROKER_BYTES=1", "MEMBROKER_BYTES=2"},
    {"SPANK_MEMBROKER_BYTES=5"},
    {"MEMBROKER_BYTES=1", "SPANK_MEMBROKER_BYTES=5"},
    {"SPANK_MEMBROKER_BYTES=5", "MEMBROKER_BYTES=1"},
    {"SPANK__MEMBROKER_BYTES=5"},
    {"SPANK_MEMBROKER_SOCKET=/tmp/mine"},
} do
    expect("forged: " .. table.concat(environment, " "), submitted(table.unpack(environment)), slurm.ERROR)
end
local result, request = submitted("XMEMBROKER_BYTES=5", "SPANK_OTHER=1")
expect("other variables", result, slurm.SUCCESS)
expect("other variables", request.tres_per_node, nil)
expect("no environment", slurm_job_submit({}), slurm.SUCCESS)

-- ---- GRES ----

for _, field in ipairs {"gres", "tres_per_node", "tres_per_job", "tres_per_socket", "tres_per_task"} do
    for _, text in ipairs {"membroker", "membroker:5", "gres:membroker:5", "gres/membroker:5", "gpu:1,membroker:5", "MemBroker=5",
                           " membroker:1", "gpu:1, gres:membroker:5"} do
        said = nil
        expect(field .. "=" .. text, slurm_job_submit({[field] = text}), slurm.ERROR)
        expect("the sentence", said ~= nil and said:find("--membroker=SIZE", 1, true) ~= nil, true)
        expect("a change of " .. field .. " to " .. text, slurm_job_modify({[field] = text}, {}), slurm.ERROR)
    end
    for _, text in ipairs {"", "gpu:1", "membrokers:1", "gres:membroker_x:1", "xmembroker"} do
        expect(field .. "=" .. text, slurm_job_submit({[field] = text}), slurm.SUCCESS)
    end
end
local both = {spank_job_env = {"MEMBROKER_BYTES=7"}, tres_per_node = "gres:gpu:1", environment = {}, script = "#!/bin/sh"}
expect("with other GRES", slurm_job_submit(both), slurm.SUCCESS)
expect("with other GRES", both.tres_per_node, "gres:gpu:1,gres:membroker:7")
expect("steps with other GRES", both.environment.SLURM_STEP_GRES, nil)
local own = {spank_job_env = {"MEMBROKER_BYTES=7"}, environment = {SLURM_STEP_GRES = "gpu:1"}, script = "#!/bin/sh"}
expect("steps with their own", slurm_job_submit(own), slurm.SUCCESS)
expect("steps with their own", own.environment.SLURM_STEP_GRES, "gpu:1")
-- srun and salloc: Slurm has no environment, and complains if it is read
local unread = setmetatable({spank_job_env = {"MEMBROKER_BYTES=7"}}, {__index = function(_, field) return field == "environment" and error("it is read") or nil end})
expect("no batch job", slurm_job_submit(unread), slurm.SUCCESS)
expect("no batch job", unread.tres_per_node, "gres:membroker:7")
expect("a job's GRES taken away", slurm_job_modify({tres_per_node = ""}, {tres_per_node = "gres:membroker:7"}), slurm.ERROR)
expect("a job's GRES by its old name", slurm_job_modify({tres_per_node = "gpu:2"}, {gres = "membroker:7"}), slurm.ERROR)
expect("another job's GRES", slurm_job_modify({tres_per_node = "gpu:2"}, {tres_per_node = "gres:gpu:1"}), slurm.SUCCESS)
expect("a job's time", slurm_job_modify({time_limit = 5}, {tres_per_node = "gres:membroker:7"}), slurm.SUCCESS)

os.exit(failures == 0)
