// SPDX-License-Identifier: Apache-2.0
// The public headers from C++: they compile without a warning, macros included, link, and work as far as they can
// without a broker.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <membroker.h>

// Never called: there is no broker.
bool use_of_the_shared_client(const mb_event *event)
{
    mb_client *client = nullptr;
    mb_lease *lease = nullptr;
    int descriptor = -1;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.flags = MB_LEASE_KEEP_DESCRIPTOR;
    bool has_one = mb_client_shared(nullptr, &client) == 0 && mb_acquire(client, 1, &options, &lease) == 0 &&
                   mb_lease_descriptor(lease, 0, &descriptor) == 0 && !mb_lease_from_address(&descriptor);
    mb_client_shared_release(client);
    return has_one && event->range_count > 0 && event->ranges[0].address && event->ranges[0].bytes > 0;
}

// Never called: there is no workspace to enter.
int use_of_the_macros(mb_workspace *workspace, mb_client *client)
{
    MB_WORKSPACE(workspace, return -errno) {
        MB_SCOPED_OUT(return -errno) {
            MB_BUFFER_SCOPE
            {
                MB_AUTO_BUFFER mb_buffer *buffer = nullptr;
                mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
                options.alignment = 4096;
                options.flags = MB_ZEROED | MB_BUFFER_NO_WAIT;
                if (mb_buffer_create(client, 1, &options, &buffer) == 0) {
                    return mb_buffer_resize(&buffer, 2) == 0 && mb_buffer_data(buffer) != nullptr &&
                           mb_buffer_from_address(client, mb_buffer_data(buffer)) == buffer;
                }
            }
        }
        return mb_workspace_alloc(workspace, 1) != nullptr;
    }
    return 0;
}

// Never called: there is nothing to publish.
bool use_of_blocks(mb_client *client)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    mb_block *block = nullptr;
    mb_view *view = nullptr;
    options.lifetime = MB_LIFETIME_CACHE;
    options.access = MB_ACCESS_ALL;
    options.type = "bytes";
    bool is_read = mb_block_create(client, 1, &options, &block) == 0 && mb_block_data(block) &&
                   mb_block_publish(block, "name") == 0 && mb_attach(client, "name", 0, &view) == 0 &&
                   mb_view_data(view, nullptr) && mb_view_check(view) == 0;
    return mb_view_close(view) == 0 && mb_block_free(block) == 0 && is_read;
}

// Never called: the structures are those of other libraries' headers.
bool use_of_views(mb_view *view, ArrowSchema *schema, ArrowArray *array)
{
    DLManagedTensorVersioned *tensor = nullptr;
    return mb_view_arrow(view, schema, array) == 0 || mb_view_dlpack(view, &tensor) == 0;
}

int main(int argc, char **)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client = nullptr;
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    options.socket = "/nonexistent/socket";
    config.initial_size = 1;
    if (argc > 100) {
        return use_of_the_macros(nullptr, nullptr) + use_of_the_shared_client(nullptr) + use_of_blocks(nullptr);
    }
    bool refused = mb_connect(&options, &client) < 0 && std::strstr(mb_last_error(), "/nonexistent/socket");
    return refused && !client && config.size == sizeof config ? 0 : 1;
}
