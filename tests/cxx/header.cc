// SPDX-License-Identifier: Apache-2.0
// The public header from C++: it compiles without a warning, links, and works as far as it can without a broker.
#include <cstdio>
#include <cstring>
#include <membroker.h>

int main()
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client = nullptr;
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    options.socket = "/nonexistent/socket";
    config.initial_size = 1;
    bool refused = mb_connect(&options, &client) < 0 && std::strstr(mb_last_error(), "/nonexistent/socket");
    return refused && !client && config.size == sizeof config ? 0 : 1;
}
